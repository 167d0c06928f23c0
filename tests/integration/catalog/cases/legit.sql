# One query a line; each must run. Lines with # are headings.
# plain
SELECT 1
SELECT 1 AS one, 'two' AS two, 3.0 AS three, TRUE AS four, NULL AS five
SELECT * FROM orders.orders
SELECT * FROM orders.orders LIMIT 5 OFFSET 3
FROM orders.orders
FROM orders.orders SELECT order_id, total WHERE total > 100
TABLE orders.orders_by_state
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s)
SELECT order_id FROM orders.orders;
SELECT o.order_id FROM "orders"."orders" AS o
SELECT order_id FROM ORDERS.ORDERS WHERE STATE = 'SP'
SELECT * FROM orders_by_state
SELECT DISTINCT state FROM orders.orders ORDER BY state DESC NULLS LAST
SELECT DISTINCT ON (state) state, order_id, total FROM orders.orders ORDER BY state, total DESC
SELECT * EXCLUDE (note, payload) FROM orders.orders LIMIT 1
SELECT * REPLACE (total * 2 AS total) FROM orders.orders LIMIT 1
SELECT * RENAME (total AS amount) FROM orders.orders LIMIT 1
SELECT COLUMNS('.*_at') FROM orders.orders LIMIT 1
SELECT min(COLUMNS(* EXCLUDE (boxes, address))) FROM orders.orders
SELECT /* a comment */ 1 -- and another
SELECT order_id AS "the id" FROM orders.orders WHERE "total" BETWEEN 10 AND 20
SELECT n: 1, m: 2
SELECT '; DROP TABLE orders.orders; --' AS text
SELECT 'it''s' AS quoted, E'tab\there' AS escaped, $$dollar 'quoted'$$ AS dollar
# filters
SELECT count(*) FROM orders.orders WHERE state IN ('SP', 'RJ') AND status <> 'cancelled'
SELECT count(*) FROM orders.orders WHERE state NOT IN ('SP') OR note IS NULL
SELECT count(*) FROM orders.orders WHERE note IS NOT NULL AND NOT gift
SELECT count(*) FROM orders.orders WHERE status LIKE 'c%' OR status ILIKE '%ED'
SELECT count(*) FROM orders.orders WHERE status SIMILAR TO '(paid|placed)'
SELECT count(*) FROM orders.orders WHERE note LIKE '%!%%' ESCAPE '!'
SELECT count(*) FROM orders.orders WHERE status GLOB 'p*'
SELECT count(*) FROM orders.orders WHERE total = (SELECT max(total) FROM orders.orders)
SELECT count(*) FROM orders.orders WHERE customer_id IN (SELECT customer_id FROM customers.customers WHERE state = 'SP')
SELECT count(*) FROM orders.orders o WHERE EXISTS (SELECT 1 FROM customers.customers c WHERE c.customer_id = o.customer_id)
SELECT count(*) FROM orders.orders WHERE total > ALL (SELECT revenue / 1000 FROM orders.orders_by_state)
SELECT count(*) FROM orders.orders WHERE total > ANY (SELECT 5)
SELECT count(*) FROM orders.orders WHERE (state, status) IN (('SP', 'placed'), ('RJ', 'paid'))
SELECT count(*) FROM orders.orders WHERE state IS DISTINCT FROM 'SP'
SELECT count(*) FROM orders.orders WHERE regexp_matches(note, '[0-9]{2}')
# aggregates
SELECT count(*), count(note), count(DISTINCT state), sum(total), avg(total), min(total), max(total) FROM orders.orders
SELECT state, count(*) FROM orders.orders GROUP BY state ORDER BY 2 DESC
SELECT state, status, count(*) FROM orders.orders GROUP BY ALL ORDER BY ALL
SELECT state, count(*) AS n FROM orders.orders GROUP BY state HAVING n > 10
SELECT state, count(*) FILTER (WHERE gift) AS gifts, sum(total) FILTER (status = 'paid') FROM orders.orders GROUP BY 1
SELECT state, status, sum(total) FROM orders.orders GROUP BY ROLLUP (state, status)
SELECT state, status, sum(total), grouping(state) FROM orders.orders GROUP BY CUBE (state, status)
SELECT state, status, sum(total) FROM orders.orders GROUP BY GROUPING SETS ((state), (status), ())
SELECT median(total), quantile_cont(total, 0.9), quantile_disc(total, [0.1, 0.5]), mode(state), mad(items) FROM orders.orders
SELECT stddev(total), stddev_pop(total), variance(total), var_pop(total), skewness(total), kurtosis(total), entropy(state) FROM orders.orders
SELECT corr(items, total), covar_pop(items, total), regr_slope(total, items), regr_intercept(total, items), regr_r2(total, items) FROM orders.orders
SELECT arg_max(order_id, total), arg_min(order_id, total), max_by(order_id, total), any_value(state), first(state ORDER BY total) FROM orders.orders
SELECT string_agg(DISTINCT state, ', ' ORDER BY state), list(DISTINCT state), array_agg(order_id ORDER BY total DESC)[1:3] FROM orders.orders
SELECT approx_count_distinct(customer_id), approx_quantile(total, 0.5), histogram(state), bool_and(gift), bool_or(gift) FROM orders.orders
SELECT max(total, 3), approx_top_k(state, 2), product(1 + items / 1000), count_if(gift), bit_xor(items) FROM orders.orders
SELECT sum(total)::DOUBLE / nullif(count(*), 0) FROM orders.orders
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY total) FROM orders.orders
SELECT favg(total), fsum(total), geomean(items), wavg(total, items) FROM orders.orders WHERE items > 0
# joins
SELECT o.order_id, c.since FROM orders.orders o JOIN customers.customers c USING (customer_id)
SELECT o.order_id, c.since FROM orders.orders o LEFT JOIN customers.customers c ON o.customer_id = c.customer_id AND c.state = 'SP'
SELECT count(*) FROM orders.orders o RIGHT JOIN customers.customers c ON o.customer_id = c.customer_id
SELECT count(*) FROM orders.orders o FULL OUTER JOIN customers.customers c ON o.customer_id = c.customer_id
SELECT count(*) FROM orders.orders_by_state a CROSS JOIN orders.orders_by_state b
SELECT count(*) FROM orders.orders NATURAL JOIN orders.orders_by_state
SELECT count(*) FROM customers.customers c SEMI JOIN orders.orders o ON c.customer_id = o.customer_id
SELECT count(*) FROM customers.customers c ANTI JOIN orders.orders o ON c.customer_id = o.customer_id
SELECT a.order_id, b.order_id FROM orders.orders a ASOF JOIN orders.orders b ON a.customer_id = b.customer_id AND a.placed_at >= b.placed_at LIMIT 3
SELECT * FROM orders.orders_by_state a POSITIONAL JOIN orders.orders_by_state b
SELECT c.customer_id, x.n FROM customers.customers c, LATERAL (SELECT count(*) AS n FROM orders.orders o WHERE o.customer_id = c.customer_id) x
SELECT s.state, (SELECT count(*) FROM customers.customers c WHERE c.state = s.state) AS people FROM orders.orders_by_state s
SELECT count(*) FROM orders.orders a, customers.customers b WHERE a.customer_id = b.customer_id
# common table expressions
WITH big AS (SELECT * FROM orders.orders WHERE total > 500) SELECT state, count(*) FROM big GROUP BY state
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b
WITH a(x) AS MATERIALIZED (SELECT 1) SELECT * FROM a
WITH a AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT sum(i) FROM n
WITH RECURSIVE t(i, s) AS (SELECT 1, 'a' UNION ALL SELECT i + 1, s || 'a' FROM t WHERE i < 5) SELECT * FROM t
WITH a AS (WITH b AS (SELECT 2 AS z) SELECT * FROM b) SELECT * FROM a
SELECT * FROM (WITH q AS (SELECT 3 AS w) SELECT * FROM q) sub
WITH orders AS (SELECT 1 AS x) SELECT * FROM orders
WITH orders_by_state AS (SELECT * FROM orders_by_state WHERE state = 'SP') SELECT * FROM orders_by_state
WITH RECURSIVE a AS (SELECT 1 AS i UNION SELECT i + 1 FROM a WHERE i < 3), b AS (SELECT max(i) AS m FROM a) SELECT * FROM b, a
WITH a AS (SELECT 1 AS x) SELECT (SELECT x FROM a), (WITH b AS (SELECT x FROM a) SELECT x FROM b) UNION ALL SELECT x, x FROM a
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL (WITH u AS (SELECT n + 1 AS n FROM t WHERE n < 3) SELECT n FROM u)) SELECT * FROM t
# set operations
SELECT state FROM orders.orders UNION SELECT state FROM customers.customers ORDER BY 1
SELECT state FROM orders.orders UNION ALL SELECT state FROM customers.customers
SELECT customer_id FROM orders.orders EXCEPT SELECT 'c1'
SELECT state FROM orders.orders INTERSECT SELECT state FROM customers.customers
SELECT order_id, total FROM orders.orders UNION ALL BY NAME SELECT customer_id FROM customers.customers
(SELECT 1) UNION (SELECT 2) ORDER BY 1 LIMIT 1
# windows
SELECT order_id, row_number() OVER (PARTITION BY state ORDER BY total DESC) AS rank FROM orders.orders
SELECT order_id, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(4) OVER w FROM orders.orders WINDOW w AS (ORDER BY total)
SELECT order_id, lag(total) OVER (ORDER BY placed_at), lead(total, 2, 0) OVER (ORDER BY placed_at) FROM orders.orders
SELECT placed_at, sum(total) OVER (ORDER BY placed_at ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week FROM orders.orders
SELECT placed_at, avg(total) OVER (ORDER BY placed_at RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) FROM orders.orders
SELECT first_value(order_id) OVER (PARTITION BY state ORDER BY total), last_value(order_id) OVER (PARTITION BY state), nth_value(order_id, 2) OVER (ORDER BY total) FROM orders.orders
SELECT sum(total) OVER (ORDER BY total GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM orders.orders
SELECT state, order_id, total FROM orders.orders QUALIFY row_number() OVER (PARTITION BY state ORDER BY total DESC) <= 3
SELECT state, total, total / sum(total) OVER (PARTITION BY state) AS share FROM orders.orders
SELECT lag(note IGNORE NULLS) OVER (ORDER BY placed_at) FROM orders.orders
SELECT count(DISTINCT customer_id) OVER (PARTITION BY state) FROM orders.orders
# dates and times
SELECT date_trunc('month', placed_at) AS month, sum(total) FROM orders.orders GROUP BY 1 ORDER BY 1
SELECT extract(year FROM placed_at), extract('dow' FROM placed_at), date_part('week', placed_at) FROM orders.orders
SELECT year(delivery_date), month(delivery_date), day(delivery_date), quarter(delivery_date), dayname(delivery_date), monthname(delivery_date) FROM orders.orders
SELECT date_diff('day', placed_at::DATE, delivery_date), datediff('hour', placed_at, placed_at), age(delivery_date, DATE '2020-01-01') FROM orders.orders
SELECT placed_at + INTERVAL 1 DAY, placed_at - INTERVAL '2 hours', delivery_date + 7 FROM orders.orders
SELECT strftime(placed_at, '%Y-%m-%d'), strptime('2026-01-02', '%Y-%m-%d'), try_strptime('x', '%Y') FROM orders.orders
SELECT time_bucket(INTERVAL '1 week', placed_at) AS week, count(*) FROM orders.orders GROUP BY ALL
SELECT DATE '2026-01-01', TIME '10:00', TIMESTAMP '2026-01-01 10:00:00', TIMESTAMPTZ '2026-01-01 10:00:00+01', INTERVAL '1 month'
SELECT current_date - 1 < current_date, now() > TIMESTAMPTZ '2020-01-01', today() = current_date, current_timestamp IS NOT NULL
SELECT last_day(delivery_date), make_date(2026, 1, 2), make_timestamp(2026, 1, 2, 3, 4, 5), epoch(placed_at), epoch_ms(1000), to_timestamp(0) FROM orders.orders
SELECT placed_at AT TIME ZONE 'America/Sao_Paulo', timezone('UTC', placed_at) FROM orders.orders
SELECT isodow(delivery_date), weekofyear(delivery_date), yearweek(delivery_date), dayofyear(delivery_date), date_add(delivery_date, INTERVAL 1 MONTH) FROM orders.orders
# text
SELECT lower(state), upper(status), length(order_id), trim('  a '), ltrim('xa', 'x'), rtrim('ax', 'x'), reverse(state) FROM orders.orders
SELECT substring(order_id, 2, 3), left(order_id, 2), right(order_id, 2), order_id[1:2], split_part('a-b', '-', 2), position('b' IN 'abc') FROM orders.orders
SELECT concat(state, '-', status), state || '/' || status, concat_ws(', ', state, status), replace(status, 'a', 'b'), repeat('=', 5) FROM orders.orders
SELECT lpad(items::VARCHAR, 4, '0'), rpad(state, 4, '.'), printf('%05d', items), format('{:.2f}', total::DOUBLE) FROM orders.orders
SELECT regexp_replace(note, '[0-9]+', '#', 'g'), regexp_extract(note, '([0-9]+)', 1), regexp_extract_all(note, '[0-9]'), regexp_split_to_array('a,b', ',') FROM orders.orders
SELECT starts_with(order_id, 'o'), ends_with(order_id, '1'), contains(note, 'note'), prefix(order_id, 'o'), instr(note, '"'), strip_accents('äö'), initial: ascii('a'), chr(65) FROM orders.orders
SELECT string_split('a b c', ' '), str_split_regex('a1b', '[0-9]'), array_to_string(['a', 'b'], '-'), md5(order_id), sha256(order_id), hash(order_id) FROM orders.orders
SELECT 'x' COLLATE NOCASE = 'X', jaro_winkler_similarity('order', 'odrer'), translate('abc', 'ab', 'xy'), unicode('a'), bar(items, 0, 10, 20) FROM orders.orders
SELECT trim(BOTH 'x' FROM 'xxaxx'), overlay('abcdef' PLACING 'zz' FROM 2 FOR 3)
SELECT encode('a'), decode('a'::BLOB), to_base64('a'::BLOB), from_hex('6162'), hex('ab'), url_encode('a b'), format_bytes(10000)
# numbers
SELECT abs(-1), round(2.567, 2), ceil(1.2), floor(1.8), trunc(1.9), sqrt(16), power(2, 10), 2 ** 3, 7 % 3, 7 // 2, 7 / 2, mod(7, 3), sign(-2)
SELECT greatest(1, 2), least(1, 2), exp(1), ln(2), log10(100), log(2, 8), pi(), sin(1), atan2(1, 2), radians(180), gcd(12, 8), factorial(5), 5!, 6 & 3, 6 | 3, xor(6, 3), 1 << 4, ~1
SELECT round(avg(total), 2), sum(total)::DECIMAL(18, 2), cast(sum(items) AS DOUBLE), try_cast('x' AS INTEGER), isnan('nan'::FLOAT) FROM orders.orders
SELECT -1, +1, - - 1, 1e3, 0x10, 1_000, .5
SELECT random() < 1, uuid() IS NOT NULL, gen_random_uuid() IS NOT NULL
# conditions
SELECT CASE WHEN total > 500 THEN 'big' WHEN total > 100 THEN 'mid' ELSE 'small' END AS size, count(*) FROM orders.orders GROUP BY 1
SELECT CASE state WHEN 'SP' THEN 1 ELSE 0 END, if(gift, 1, 0), ifnull(note, '-'), coalesce(note, 'none'), nullif(state, 'SP') FROM orders.orders
SELECT gift AND items > 3 OR NOT gift, gift IS TRUE, note IS NULL FROM orders.orders
# nested values
SELECT boxes[1], list_contains(boxes, 1), len(boxes), unnest(boxes) FROM orders.orders
SELECT address.city, address['zip'], struct_extract(address, 'city'), address.* FROM orders.orders
SELECT list_transform(boxes, lambda x: x + 1), list_filter(boxes, lambda x: x > 0), [x * 2 for x in boxes if x > 0], list_sum(boxes), list_sort(boxes) FROM orders.orders
SELECT list_reduce([1, 2, 3], lambda a, b: a + b), list_aggregate([1, 2, 3], 'sum'), flatten([[1], [2]]), list_distinct([1, 1]), list_zip([1], [2]), [1] || [2], array_slice([1, 2, 3], 1, 2)
SELECT {'a': 1, 'b': 'x'} AS s, struct_pack(c := 2), row(1, 2), map {'k': 1}['k'], map_keys(map {'k': 1}), map([1], ['x'])
SELECT unnest([1, 2, 3]) AS n
SELECT * FROM unnest([1, 2, 3]) AS t(n)
SELECT unnest([{'a': 1}, {'a': 2}], recursive := true)
SELECT unnest(address) FROM orders.orders
WITH s AS (SELECT state, total FROM orders.orders) PIVOT s ON state USING sum(total)
PIVOT orders.orders ON year(delivery_date), gift USING count(*) GROUP BY state
SELECT list_value(1, 2), array_length([1]), list_position([1, 2], 2), list_has_any([1], [1]), list_slice([1, 2, 3], 2, 3), [1, 2, 3][-1], [1, 2, 3][2:]
SELECT [1,2]::INTEGER[], [1.0, 2.0]::DOUBLE[2], array_cosine_similarity([1.0,2.0]::FLOAT[2], [1.0,3.0]::FLOAT[2])
# JSON
SELECT payload->>'$.channel', payload->'score', json_extract(payload, '$.score'), json_extract_string(payload, 'channel') FROM orders.orders
SELECT payload::JSON, json_valid(payload), json_keys(payload), json_type(payload), json_array_length('[1,2]'), json_structure(payload) FROM orders.orders LIMIT 2
SELECT to_json({'a': 1}), json_object('k', 1), json_array(1, 2), json_group_array(state), json_group_object(state, orders) FROM orders.orders_by_state
SELECT * FROM json_each('{"a": 1, "b": 2}')
SELECT from_json(payload, '{"score":"INTEGER"}').score, json_transform(payload, '{"channel":"VARCHAR"}') FROM orders.orders
# series, pivots, samples
SELECT * FROM range(5)
SELECT * FROM range(0, 10, 2) AS t(i)
SELECT * FROM generate_series(1, 3) AS g(i)
SELECT d::DATE AS day, count(o.order_id) FROM generate_series(DATE '2026-01-01', DATE '2026-01-31', INTERVAL 1 DAY) AS s(d) LEFT JOIN orders.orders o ON o.placed_at::DATE = d GROUP BY 1 ORDER BY 1
SELECT range(3), generate_series(1, 3)
SELECT * FROM orders.orders PIVOT (count(*) FOR state IN ('SP', 'RJ') GROUP BY status)
PIVOT orders.orders ON state IN ('SP', 'RJ') USING sum(total) GROUP BY status
PIVOT orders.orders ON state USING sum(total) GROUP BY status
PIVOT (SELECT state, status, total FROM orders.orders) ON status USING sum(total) AS t, count(*) AS n GROUP BY state ORDER BY state
UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME k VALUE v
SELECT * FROM orders.orders_by_state UNPIVOT (v FOR k IN (orders, revenue))
SELECT count(*) FROM orders.orders USING SAMPLE 10%
SELECT * FROM orders.orders USING SAMPLE 5 ROWS
SELECT * FROM orders.orders TABLESAMPLE reservoir(5 ROWS)
# casts and types
SELECT CAST('1' AS INTEGER), '2'::BIGINT, 3::VARCHAR, '2026-01-01'::DATE, 1::BOOLEAN, TRY_CAST('a' AS DOUBLE), typeof(1), 1.5::DECIMAL(10, 2), 'a'::ENUM('a', 'b')
SELECT 170141183460469231731687303715884105727::HUGEINT, 'ab'::BLOB, '12:00'::TIME, uuid()::VARCHAR <> '', INTERVAL '1 day'::VARCHAR
SELECT order_id::VARCHAR, total::DOUBLE, placed_at::DATE, placed_at::TIMESTAMP, items::TINYINT FROM orders.orders
# looking
DESCRIBE orders.orders
DESCRIBE SELECT state FROM orders.orders
SUMMARIZE orders.orders_by_state
SUMMARIZE SELECT total FROM orders.orders
EXPLAIN SELECT state, count(*) FROM orders.orders GROUP BY state
SELECT version()
