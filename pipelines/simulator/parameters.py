"""The shape of parameters.yaml: sections `scales`, `trade` and `defects`, and the bands that all sections use."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, model_validator

_SHARES = 1e-9


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(Strict):
    """Uniform between two values."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class Bell(Strict):
    """Mean and standard deviation within bounds."""

    mean: float
    sd: float = Field(gt=0)
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Bell:
        if not self.low < self.mean < self.high:
            raise ValueError(f"mean {self.mean:g} is not between {self.low:g} and {self.high:g}")
        return self


class Skewed(Strict):
    """Log-normal by median and 95th percentile, cut at bounds where they are given."""

    median: float = Field(gt=0)
    p95: float = Field(gt=0)
    minimum: float = 0.0
    maximum: float = float("inf")


class Form(Strict):
    """Ore of one product form; percentages of dry mass, recovery as a share."""

    copper: Bell
    moisture: Range
    recovery: Range
    soluble_share: Range


class Precious(Strict):
    payable_pct: float
    deduction_g_per_dmt: float = 0.0
    minimum_g_per_dmt: float = 0.0
    refining_usd_per_oz: float


class PlantTerms(Strict):
    payable_pct: Range
    deduction_pct: Range
    sequential_share: float = Field(ge=0, le=1)
    truncated_share: float = Field(ge=0, le=1)
    protection_usd_per_lb: Range
    maquila_usd_per_dmt: Range
    refining_usd_per_lb: Range
    handling_loss_pct: Range
    assay_fee_usd: Range
    loading_pen_per_wmt: Range
    freight_deducted_share: float = Field(ge=0, le=1)
    detraction_on_balance_share: float = Field(ge=0, le=1)
    penalties: dict[str, tuple[float, float, float]]


class TraderTerms(Strict):
    payable_pct: Range
    deduction_pct: Range
    sequential_share: float = Field(ge=0, le=1)
    margin_on_treatment_usd_per_dmt: Range
    refining_usd_per_lb: Range
    provisional_frac: Range
    final_after_days: Range
    penalties: dict[str, tuple[float, float, float]]
    silver: Precious
    gold: Precious


class ExportTerms(Strict):
    payable_pct: float
    deduction_pct: float
    penalties: dict[str, tuple[float, float, float]]
    silver: Precious
    gold: Precious


class TradeParameters(Strict):
    """See parameters.yaml, section `trade`, where each number has its unit and its source."""

    month_weights: tuple[float, ...] = Field(min_length=12, max_length=12)
    growth_per_year: float
    price_elasticity: float
    sunday_weight: float
    blockade_days_per_year: float = Field(ge=0, le=40)
    blockade_weight: float = Field(ge=0, le=1)
    activity_by_status: dict[str, float]
    lot_wet_t: Skewed
    forms_by_department: dict[str, dict[str, float]]
    forms: dict[str, Form]
    richer_pct_per_100_km: float
    arsenic_pct: Skewed
    silver_g_per_dmt: Skewed
    gold_g_per_dmt: Skewed
    bismuth_pct: Skewed
    antimony_pct: Skewed
    lead_zinc_pct: Skewed
    firms: dict[str, int]
    firms_at_least: dict[str, int]
    plant_districts: tuple[str, ...]
    plant_weights: tuple[float, ...]
    port_district: str
    concentration: float
    through_collector: float = Field(ge=0, le=1)
    resold_between_collectors: float = Field(ge=0, le=1)
    blended: float = Field(ge=0, le=1)
    blend_lots: tuple[int, int]
    wait_days: dict[str, int]
    toll_share: float = Field(ge=0, le=1)
    biller: dict[str, float]
    biller_fee_frac: Bell
    lent_registration: float = Field(ge=0, le=1)
    own_lot_codes: float = Field(ge=0, le=1)
    lot_named: float = Field(ge=0, le=1)
    undocumented_pit_sale: float = Field(ge=0, le=1)
    shared_truck: float = Field(ge=0, le=1)
    collector_margin_frac: Range
    buyer_effect_sd: float
    good_standing_premium: Range
    women_discount: float
    least_pit_price_frac: float
    umpire_fee_usd: float
    advance_share: float = Field(ge=0, le=1)
    advance_frac: Range
    road_bends: dict[str, Range]
    local_km: Range
    port_bends: Range
    speed_km_per_h: Range
    haul_usd_per_t_km: Range
    transit_water_loss_frac: Range
    sacked: float = Field(ge=0, le=1)
    tare_t: Range
    days_at_pit: Range
    assay_sd_frac: float
    assay_sd_pct: float
    moisture_sd_pct: float
    seller_assays: float = Field(ge=0, le=1)
    splitting_limit_pct: dict[str, float]
    median_umpire_rule: float = Field(ge=0, le=1)
    assay_days: Range
    payment_days: Range
    plant_terms: PlantTerms
    toll_usd_per_dmt: Range
    trader_terms: TraderTerms
    export_terms: ExportTerms
    quotational_periods: dict[str, float]
    destinations: dict[str, float]
    campaign_lots: dict[str, int]
    concentrate_grade_pct: Bell
    cement_grade_pct: Bell
    concentrate_moisture_pct: Range
    concentrate_lot_wet_t: float
    shipment_lots: int
    days_to_campaign: Range
    days_to_ship: Range
    days_to_regularise: Range

    @model_validator(mode="after")
    def _shares(self) -> TradeParameters:
        shares = {
            "plant_weights": self.plant_weights,
            "quotational_periods": self.quotational_periods.values(),
            "destinations": self.destinations.values(),
            **{f"forms_by_department.{k}": v.values() for k, v in self.forms_by_department.items()},
        }
        for name, values in shares.items():
            if abs(sum(values) - 1) > _SHARES:
                raise ValueError(f"{name} sums to {sum(values):g}, expected 1")
        unknown = {f for forms in self.forms_by_department.values() for f in forms} - set(self.forms)
        if unknown:
            raise ValueError(f"forms_by_department names forms without a description: {', '.join(sorted(unknown))}")
        return self


class DefectParameters(Strict):
    """Shares of rows, plants or lots that carry a defect at rate 1; see parameters.yaml, section `defects`."""

    duplicate_ticket: float = Field(ge=0, le=1)
    impossible_speed: float = Field(ge=0, le=1)
    mass_balance_break: float = Field(ge=0, le=1)
    over_capacity: float = Field(ge=0, le=1)
    sale_after_exclusion: float = Field(ge=0, le=1)
    assay_bias: float = Field(ge=0, le=1)
    assay_bias_frac: float = Field(ge=0, le=1)
    round_numbers: float = Field(ge=0, le=1)
    clock_error: float = Field(ge=0, le=1)
    ocr_typo: float = Field(ge=0, le=1)
    place_typo: float = Field(ge=0, le=1)
    late_deposit: float = Field(ge=0, le=1)
    reference_missing: float = Field(ge=0, le=1)
    capacity_t_per_day: dict[str, float]

    def times(self, rate: float) -> DefectParameters:
        """The same defects `rate` times as often (shares stop at 1; sizes stay)."""
        sizes = {"assay_bias_frac": self.assay_bias_frac, "capacity_t_per_day": self.capacity_t_per_day}
        scaled = {name: min(1.0, share * rate) for name, share in self.model_dump(exclude=set(sizes)).items()}
        return DefectParameters(**scaled, **sizes)


class Scale(Strict):
    """One size: ore lots, registrations, months (first..last), lots in a chunk, and whether documents become XML."""

    lots: int = Field(gt=0)
    registrations: int = Field(gt=0)
    months: str
    chunk_lots: int = Field(gt=0)
    xml: bool

    @model_validator(mode="after")
    def _months(self) -> Scale:
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])\.\.\d{4}-(0[1-9]|1[0-2])", self.months):
            raise ValueError(f"months {self.months!r} are not like 2022-01..2026-06")
        return self
