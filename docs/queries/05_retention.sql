-- How many people contribute again after their first contribution?
-- Returns: one row per number of months after the first contribution: the people for whom that month is over, how many
--   of them contributed in it, and their percentage. Month 0 is the month of the first contribution. The current month
--   is excluded.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT m.months_later, sum(m.cohort_size) AS people, sum(m.active) AS contributed_again,
       round(CAST(100.0 * sum(m.active) / sum(m.cohort_size) AS NUMERIC), 1) AS percent
FROM parameters
JOIN mart_cohorts m ON m.community = parameters.community
JOIN _marts k ON k.community = m.community AND k.mart = 'mart_cohorts'
WHERE substr(CAST(m.month AS TEXT), 1, 7) < substr(CAST(k.as_of AS TEXT), 1, 7)
GROUP BY m.months_later
ORDER BY m.months_later
