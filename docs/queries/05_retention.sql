-- How many people contribute again after their first contribution?
-- Returns: one row per number of months after the first contribution: the people for whom that month is over, how many
--   of them contributed in it, and their percentage. Month 0 is the month of the first contribution. The current month
--   is excluded. Months are those of the community's time zone.
-- Change: the community.
WITH RECURSIVE parameters AS (SELECT 'acme' AS community),
cohorts AS (
    SELECT m.community, m.cohort_month, m.cohort_size,
           12 * (CAST(substr(CAST(k.today AS TEXT), 1, 4) AS INTEGER)
                 - CAST(substr(CAST(m.cohort_month AS TEXT), 1, 4) AS INTEGER))
           + CAST(substr(CAST(k.today AS TEXT), 6, 2) AS INTEGER)
           - CAST(substr(CAST(m.cohort_month AS TEXT), 6, 2) AS INTEGER) AS months_over
    FROM parameters
    JOIN mart_cohorts m ON m.community = parameters.community AND m.months_later = 0
    JOIN _marts k ON k.community = m.community AND k.mart = 'mart_cohorts'
),
-- mart_cohorts ends with the month of the last contribution: nobody contributed in the months since.
months AS (
    SELECT 0 AS months_later
    UNION ALL
    SELECT months_later + 1 FROM months WHERE months_later + 1 < (SELECT max(months_over) FROM cohorts)
)
SELECT n.months_later, sum(c.cohort_size) AS people, sum(coalesce(m.active, 0)) AS contributed_again,
       round(CAST(100.0 * sum(coalesce(m.active, 0)) / sum(c.cohort_size) AS NUMERIC), 1) AS percent
FROM months n
JOIN cohorts c ON c.months_over > n.months_later
LEFT JOIN mart_cohorts m
  ON m.community = c.community AND m.cohort_month = c.cohort_month AND m.months_later = n.months_later
GROUP BY n.months_later
ORDER BY n.months_later
