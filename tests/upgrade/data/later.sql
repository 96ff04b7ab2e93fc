-- What the killed server has only in its log.
INSERT INTO every_type (i, t) SELECT g, 'later ' || g FROM generate_series(1, 50) AS s(g);
UPDATE pairs SET note = 'changed' WHERE b % 10 = 0;
DELETE FROM every_type WHERE id <= 20;
CREATE TABLE later (id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO later VALUES (1, 'one'), (2, repeat('two ', 5000)), (3, NULL);
CREATE TABLE fleeting (id INTEGER);
INSERT INTO fleeting VALUES (1);
DROP TABLE fleeting;
TRUNCATE TABLE no_key;
INSERT INTO no_key VALUES ('after', 1);
UPDATE "Long Values" SET body = repeat('shorter ', 400) WHERE id = 8;
DROP TABLE empty;
