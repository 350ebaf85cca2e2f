-- How does each month compare with the month before?
-- Returns: one row per month from the first contribution to the last, latest first: ideas, comments and votes, the
--   change of their sum from the month before, the number of contributors, and how many of them contributed for the
--   first time. The latest month may not be over. Contributions without a known time are in no month.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community),
by_month AS (
    SELECT substr(CAST(d.day AS TEXT), 1, 7) AS month, sum(d.ideas) AS ideas, sum(d.comments) AS comments,
           sum(d.votes) AS votes, sum(d.ideas + d.comments + d.votes) AS acts, sum(d.new_contributors) AS newcomers
    FROM parameters
    JOIN mart_daily_activity d ON d.community = parameters.community
    GROUP BY substr(CAST(d.day AS TEXT), 1, 7)
),
people AS (
    SELECT substr(CAST(m.month AS TEXT), 1, 7) AS month, sum(m.active) AS contributors
    FROM parameters
    JOIN mart_cohorts m ON m.community = parameters.community
    GROUP BY substr(CAST(m.month AS TEXT), 1, 7)
)
SELECT b.month, b.ideas, b.comments, b.votes, b.acts - lag(b.acts) OVER (ORDER BY b.month) AS change,
       coalesce(p.contributors, 0) AS contributors, b.newcomers
FROM by_month b
LEFT JOIN people p ON p.month = b.month
ORDER BY b.month DESC
