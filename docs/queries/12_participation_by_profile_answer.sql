-- Who contributes, by an answer in the profile, such as the site?
-- Returns: one row per answer, by descending number of people: the registered people who gave it, how many of them ever
--   contributed, their percentage, and their contributions. People without an answer are in the last row.
-- Change: the community, and the question's id (SELECT DISTINCT question_id, label FROM user_answers shows them all).
WITH parameters AS (SELECT 'acme' AS community, 'site' AS question_id)
SELECT a.value AS answer, count(*) AS people, sum(CASE WHEN p.contributions > 0 THEN 1 ELSE 0 END) AS contributors,
       round(100.0 * sum(CASE WHEN p.contributions > 0 THEN 1 ELSE 0 END) / count(*), 1) AS contributors_percent,
       sum(p.contributions) AS contributions
FROM parameters
JOIN mart_contributors p ON p.community = parameters.community AND p.is_registered
LEFT JOIN user_answers a
  ON a.community = p.community AND a.user_id = p.user_id AND a.question_id = parameters.question_id
  AND a._deleted_at IS NULL
GROUP BY a.value
ORDER BY CASE WHEN a.value IS NULL THEN 1 ELSE 0 END, count(*) DESC, a.value
