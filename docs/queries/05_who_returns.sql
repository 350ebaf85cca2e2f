-- Do people come back after their first contribution?
-- Returns: one row for each number of months after somebody's first: of how many people it is known yet, how many of
--   them contributed in that month, and what percentage that is. Month 0 is that of the first contribution itself.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT m.months_later, sum(m.cohort_size) AS people, sum(m.active) AS contributed_again,
       round(CAST(100.0 * sum(m.active) / sum(m.cohort_size) AS NUMERIC), 1) AS percent
FROM asked
JOIN mart_cohorts m ON m.community = asked.community
GROUP BY m.months_later
ORDER BY m.months_later
