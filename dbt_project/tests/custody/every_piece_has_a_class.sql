-- Every relation and pair of standings that occurs is one that custody_classes knows.
select distinct
    pieces.relation_code,
    pieces.own_standing_code,
    pieces.paper_standing_code
from {{ ref('int_custody__pieces') }} as pieces
left join {{ ref('custody_classes') }} as classes
    on
        pieces.relation_code = classes.relation_code
        and pieces.own_standing_code = classes.own_standing_code
        and pieces.paper_standing_code = classes.paper_standing_code
where classes.class_code is null
