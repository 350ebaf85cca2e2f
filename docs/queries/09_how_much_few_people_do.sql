-- How much of the work do few people do?
-- Returns: one row for the most active 1, 5, 10, 25, 50 and 100 percent of those who ever contributed: how many people
--   that is, their contributions, and what percentage of all contributions these are.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT m.top_percent, m.people, m.contributions, round(CAST(100 * m.share AS NUMERIC), 1) AS contributions_percent
FROM asked
JOIN mart_concentration m ON m.community = asked.community
ORDER BY m.top_percent
