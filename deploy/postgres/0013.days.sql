-- Lists of a time alone: each day of arrival in the order of positions. An index by the moment would give all of a
-- month before the first hundred of it could be told in that order.
CREATE INDEX alerts_day ON alerts (date_bin('1 day', received_at, 'epoch'), position) INCLUDE (received_at);
DROP INDEX alerts_received_at;
