-- What share of each challenge's ideas was adopted?
-- Returns: one row per challenge with ideas, by descending share: its ideas, the number that ever had a label of the
--   class adopted, and their percentage. No rows while label_classes is empty.
-- Change: the community, and the class if yours has another name.
WITH parameters AS (SELECT 'acme' AS community, 'adopted' AS class)
SELECT c.title, a.ideas, a.ideas_ever AS adopted, round(CAST(100 * a.rate AS NUMERIC), 1) AS adopted_percent
FROM parameters
JOIN mart_adoption a ON a.community = parameters.community AND a.class = parameters.class
JOIN mart_challenges c ON c.community = a.community AND c.challenge_id = a.challenge_id
ORDER BY a.rate DESC, c.title
