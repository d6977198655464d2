{{ config(materialized='view') }}
-- Every row of the files that are used, with the key of its registration (macro registry_keyed). A view: a row's key
-- may change with what later files show, and no table has to follow that.
{{ registry_keyed(
    registry_rows(), ref('int_registry__files'), ref('int_places__names_matched'), ref('int_registry__codes')
) }}
