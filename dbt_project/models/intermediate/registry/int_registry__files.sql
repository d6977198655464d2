-- One row per registry file received, with its number among those that are used (macro registry_files).
{{ registry_files(ref('int_registry__file_contents')) }}
