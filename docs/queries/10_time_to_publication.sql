-- How long do ideas wait until they are published?
-- Returns: one row per challenge with ideas, longest wait first: the published ideas, those published a minute or more
--   after submission, the median and the 90th percentile of the wait in hours, and the ideas that wait for approval now.
--   Removed ideas and ideas of banned people are included. Null means that the source does not report the value.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT c.title, m.published, m.published_later, m.median_delay_seconds / 3600 AS median_hours,
       m.p90_delay_seconds / 3600 AS p90_hours, m.pending
FROM parameters
JOIN mart_moderation m ON m.community = parameters.community
JOIN mart_challenges c ON c.community = m.community AND c.challenge_id = m.challenge_id
ORDER BY m.p90_delay_seconds DESC NULLS LAST, c.title
