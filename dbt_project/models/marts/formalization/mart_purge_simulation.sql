-- What each set of rules would have done to every registration in the registry on its date, as far as the sources tell,
-- beside what the first whole file after it shows. Sets and dates are data (seed purge_rule_sets); any other date can
-- be asked of the table macro `marts.purge_simulated_on`, which holds the same rules.
{{ config(post_hook="{{ purge_macro() }}") }}
select * from (
    {{ purge_simulated(ref('purge_rule_sets')) }}
) as simulated
order by is_synthetic, rule_set_code, evaluation_date, registration_key
