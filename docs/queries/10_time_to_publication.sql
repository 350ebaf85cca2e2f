-- How long do ideas wait until they are published?
-- Returns: one row a challenge with ideas, the longest wait first: how many ideas were published, how many of these a
--   minute or more after they were submitted, the median wait in hours, the wait that nine in ten do not exceed, and
--   how many ideas wait for approval now. Removed ideas and those of banned people are among them. A number of
--   ideas that is null is not told by the source.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT c.title, m.published, m.published_later, m.median_delay_seconds / 3600 AS median_hours,
       m.p90_delay_seconds / 3600 AS p90_hours, m.pending
FROM asked
JOIN mart_moderation m ON m.community = asked.community
JOIN mart_challenges c ON c.community = m.community AND c.challenge_id = m.challenge_id
ORDER BY m.p90_delay_seconds DESC NULLS LAST, c.title
