-- What share of all contributions comes from the most active people?
-- Returns: one row per top 1, 5, 10, 25, 50 and 100 percent of the contributors: the number of people, their
--   contributions, and the percentage of all contributions.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT m.top_percent, m.people, m.contributions, round(CAST(100 * m.share AS NUMERIC), 1) AS contributions_percent
FROM parameters
JOIN mart_concentration m ON m.community = parameters.community
ORDER BY m.top_percent
