-- What share of each challenge's ideas was adopted?
-- Returns: one row a challenge with ideas, the highest share first: its ideas, how many ever carried a label that
--   label_classes calls adopted, and what percentage that is. Nothing while label_classes is empty.
-- Change: the community, and the class where you named it otherwise.
WITH asked AS (SELECT 'acme' AS community, 'adopted' AS class)
SELECT c.title, a.ideas, a.ideas_ever AS adopted, round(CAST(100 * a.rate AS NUMERIC), 1) AS adopted_percent
FROM asked
JOIN mart_adoption a ON a.community = asked.community AND a.class = asked.class
JOIN mart_challenges c ON c.community = a.community AND c.challenge_id = a.challenge_id
ORDER BY a.rate DESC, c.title
