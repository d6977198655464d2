"""The steps of the bridge from LME to FOB and the links of the chain, by the names that people read."""

from __future__ import annotations

LANGUAGES = ("es", "en")

#: Step of the bridge (its column without `_usd`) → sign with which it goes from LME to FOB, and its name in each language.
STEPS: dict[str, tuple[int, tuple[str, str]]] = {
    "lme_contained": (1, ("valor LME del cobre contenido", "LME value of the copper contained")),
    "metallurgical_loss": (-1, ("pérdida metalúrgica", "metallurgical loss")),
    "assay_difference": (-1, ("diferencia de ensaye", "assay difference")),
    "payability_loss": (-1, ("pérdida de pagabilidad", "payability loss")),
    "tc_rc": (-1, ("tratamiento y refinación", "treatment and refining")),
    "penalties": (-1, ("penalidades", "penalties")),
    "credits": (1, ("créditos por oro y plata", "credits for gold and silver")),
    "qp_effect": (1, ("efecto del período cuotacional", "effect of the quotational period")),
    "unexplained": (1, ("sin explicar", "unexplained")),
    "not_followed": (-1, ("no seguido hasta una exportación", "not followed to an export")),
    "fob": (1, ("FOB", "FOB")),
}
#: Link of the chain → its name in each language.
LINKS: dict[str, tuple[str, str]] = {
    "OPERATOR": ("operador", "operator"),
    "CONCESSION_HOLDER": ("titular", "concession holder"),
    "COLLECTOR": ("acopiador", "collector"),
    "BILLER": ("facturador", "biller"),
    "HAULIER": ("transportista", "haulier"),
    "PLANT": ("planta", "plant"),
    "TRADER": ("comercializadora", "trader"),
    "LABORATORY": ("laboratorio", "laboratory"),
}
