select
    place_level,
    written_name,
    proper_name,
    {{ lineage() }},
    {{ is_current(['place_level', 'written_name']) }} as is_current
from {{ source('raw', 'ubigeo__name_variants') }}
