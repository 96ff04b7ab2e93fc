/* a /* b */ c */ SELECT 1 -- d
, 2