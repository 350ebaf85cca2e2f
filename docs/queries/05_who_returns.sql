-- Do people come back after their first contribution?
-- Returns: one row for each number of months after somebody's first: for how many people that month is over, how many
--   of them contributed in it, and what percentage that is. Month 0 is that of the first contribution itself. The month
--   that is not over yet is left out.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT m.months_later, sum(m.cohort_size) AS people, sum(m.active) AS contributed_again,
       round(CAST(100.0 * sum(m.active) / sum(m.cohort_size) AS NUMERIC), 1) AS percent
FROM asked
JOIN mart_cohorts m ON m.community = asked.community
JOIN _marts k ON k.community = m.community AND k.mart = 'mart_cohorts'
WHERE substr(CAST(m.month AS TEXT), 1, 7) < substr(CAST(k.as_of AS TEXT), 1, 7)
GROUP BY m.months_later
ORDER BY m.months_later
