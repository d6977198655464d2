import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import identity
from pipelines.identity import (
    Keyer,
    Mask,
    company_name,
    company_name_expr,
    fold_name,
    is_valid_ruc,
    mask,
    ruc_check_digit,
    valid_rucs,
)

KEYER = Keyer(b"s" * 32)
dni = st.text("0123456789", min_size=8, max_size=8)


def ruc_of(first_ten: str) -> str:
    return first_ten + str(ruc_check_digit(first_ten))


@pytest.mark.parametrize(("ruc", "valid"), [("20131312955", True), ("20131368829", True), ("20131312954", False)])
def test_check_digit_of_published_rucs(ruc, valid):
    assert is_valid_ruc(ruc) is valid


@pytest.mark.parametrize(
    "text", ["", "2013131295", "201313129555", "30131312955", "2013131295x", "２０１３１３１２９５５"]
)
def test_what_is_no_ruc(text):
    assert not is_valid_ruc(text)


@given(st.sampled_from(["10", "15", "17", "20"]), dni, st.integers(0, 9))
def test_vectorised_check_agrees_with_the_plain_one(prefix, digits, last):
    rucs = [ruc_of(prefix + digits), prefix + digits + str(last), "x" + digits, "", ruc_of("20" + digits)[:-1]]
    text = "".join(f"{ruc}|name|\n" for ruc in rucs).encode()
    starts = np.cumsum([0, *(len(ruc) + 7 for ruc in rucs[:-1])])
    assert valid_rucs(np.frombuffer(text, dtype=np.uint8), starts).tolist() == [is_valid_ruc(r) for r in rucs]


@given(dni)
def test_a_natural_persons_ruc_and_dni_give_one_key(digits):
    assert KEYER.key("RUC", ruc_of("10" + digits)) == KEYER.key("DNI", digits)


@given(dni, dni)
def test_two_persons_give_two_keys(a, b):
    assert (KEYER.key("DNI", a) == KEYER.key("DNI", b)) is (a == b)


def test_another_secret_gives_other_keys_and_another_fingerprint():
    other = Keyer(b"t" * 32)
    assert other.key("DNI", "12345678") != KEYER.key("DNI", "12345678")
    assert other.fingerprint() != KEYER.fingerprint()


def test_a_key_does_not_show_the_identity_and_is_not_a_plain_hash():
    import hashlib

    key = KEYER.key("RUC", "20131312955")
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert key not in hashlib.sha256(b"RUC:20131312955").hexdigest()


def test_collected_identities_are_given_once_with_their_names():
    keyer = Keyer(b"u" * 32)
    keyer.key("RUC", "20131312955", "SUNAT")
    keyer.key("RUC", "20131312955")
    rows = keyer.collected().to_dicts()
    assert [(r["identity_kind"], r["identity"], r["name"]) for r in rows] == [("RUC", "20131312955", "SUNAT")]
    assert keyer.collected().height == 0


@pytest.mark.parametrize(
    ("kind", "value", "name", "kept"),
    [
        ("RUC", "20131312955", "MINERA X S.A.C.", "MINERA X S.A.C."),
        ("RUC", "20131312955", "JUAN PEREZ E.I.R.L.", None),
        ("RUC", "20131312955", "JUAN PEREZ EIRL", None),
        ("RUC", "20131312955", "S.M.R.L. SANTA ROSA", None),
        ("RUC", "20131312955", "smrl santa rosa de ica", None),
        ("RUC", "20131312955", "EMPRESA INDIVIDUAL DE RESPONSABILIDAD LIMITADA X", None),
        ("RUC", "20131312955", "MINERA SAMUEL R. L. S.R.L.", "MINERA SAMUEL R. L. S.R.L."),
        ("RUC", "10123456781", "JUAN PEREZ", None),
        ("DNI", "12345678", "JUAN PEREZ", None),
    ],
)
def test_only_a_companys_name_stays(kind, value, name, kept):
    assert company_name(kind, value, name) == kept
    if kind == "RUC":  # the same of whole columns
        assert pl.select(company_name_expr(pl.lit(value), pl.lit(name))).item() == kept


@given(dni, st.text(max_size=20))
def test_masking_hides_dni_and_ruc_anywhere(digits, around):
    text = f"{around} {digits} y {ruc_of('10' + digits)} {around}"
    hidden = mask(text)
    assert not re.search(rf"(?<![0-9]){digits}(?![0-9])", hidden.replace(around, ""))
    assert ruc_of("10" + digits) not in hidden


def test_masking_hides_plates_licences_and_known_names():
    hidden = Mask(["JUAN QUISPE"])("Chofer Juan Quispe, lic. Q12345678, placa ABC-123")
    assert "Quispe" not in hidden and "12345678" not in hidden and "ABC-123" not in hidden


@given(
    st.lists(st.sampled_from(["A", "A1B", "ABC", "123", "12345678", "-", " ", "ñ", "F001-"]), max_size=6).map("".join)
)
def test_nothing_personal_is_missed_by_the_quick_look(text):
    assert not identity._PERSONAL.search(text) or mask(text) != text


def test_names_fold_to_one_spelling():
    assert fold_name("  Minera  Perú, S.A. ") == fold_name("MINERA PERU S A")


def test_check_digits_of_oracle_o15():
    assert (ruc_check_digit("2013131295"), ruc_check_digit("2013136882")) == (5, 9)
