# One attack a line; each must be refused before it runs. Lines with # are headings; \n and \0 stand for those characters.
# files by name
SELECT * FROM '/etc/passwd'
SELECT * FROM 'data.parquet'
SELECT * FROM "../lakehouse/orders.salaries-1.parquet"
SELECT * FROM 'orders.salaries-1.parquet'
SELECT * FROM '*.parquet'
SELECT * FROM 'http://127.0.0.1/x.parquet'
SELECT * FROM 's3://bucket/x.parquet'
SELECT * FROM '/dev/stdin'
SELECT * FROM '/proc/self/environ'
SELECT * FROM "/etc/passwd"
FROM '/etc/passwd'
FROM 'x.csv' SELECT *
TABLE '/etc/passwd'
DESCRIBE '/etc/passwd'
DESCRIBE 'orders.salaries-1.parquet'
SUMMARIZE 'orders.salaries-1.parquet'
SELECT (SELECT * FROM '/etc/passwd')
SELECT * FROM orders.orders, '/etc/passwd'
SELECT * FROM orders.orders WHERE EXISTS (FROM '/etc/passwd')
WITH x AS (FROM '/etc/passwd') SELECT * FROM x
SELECT * FROM orders.orders JOIN 'a.json' ON true
PIVOT 'a.csv' ON x USING count(*)
PIVOT 'a.csv' ON x IN (1) USING count(*)
UNPIVOT 'a.csv' ON x
# files by function
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_csv_auto('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('/etc/passwd')
SELECT * FROM read_json('/etc/passwd')
SELECT * FROM read_json_auto('/etc/passwd')
SELECT * FROM read_json_objects('/etc/passwd')
SELECT * FROM read_json_objects_auto('/etc/passwd')
SELECT * FROM read_ndjson('/etc/passwd')
SELECT * FROM read_ndjson_auto('/etc/passwd')
SELECT * FROM read_ndjson_objects('/etc/passwd')
SELECT * FROM read_parquet('*.parquet')
SELECT * FROM read_parquet(['a', 'b'])
SELECT * FROM parquet_scan('x')
SELECT * FROM read_duckdb('x.duckdb')
SELECT * FROM read_single_csv_file('x')
SELECT * FROM read_single_json_file('x')
SELECT * FROM read_single_parquet_file('x')
SELECT * FROM parquet_metadata('x')
SELECT * FROM parquet_schema('x')
SELECT * FROM parquet_file_metadata('x')
SELECT * FROM parquet_kv_metadata('x')
SELECT * FROM parquet_full_metadata('x')
SELECT * FROM parquet_bloom_probe('x', 'a', 1)
SELECT * FROM parquet_page_index('x')
SELECT * FROM glob('/*')
SELECT * FROM glob('*')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM READ_TEXT('/etc/passwd')
SELECT * FROM "read_text"('/etc/passwd')
SELECT * FROM main.read_text('/etc/passwd')
SELECT * FROM system.main.read_text('/etc/passwd')
SELECT * FROM LATERAL read_text('/etc/passwd')
SELECT x.* FROM orders.orders o, LATERAL (SELECT * FROM read_text(o.note)) x
SELECT (FROM read_text('/etc/passwd'))
SELECT [y FOR y IN (SELECT content FROM read_text('/etc/passwd'))]
WITH a AS (SELECT * FROM read_blob('/etc/passwd')) SELECT * FROM a
SELECT * FROM (SELECT * FROM (SELECT * FROM read_csv('/etc/passwd')))
SELECT 1 UNION ALL SELECT content FROM read_text('/etc/passwd')
SELECT * FROM range(3) t(i) WHERE i IN (SELECT size FROM read_blob('/etc/*'))
SELECT count(*) FILTER (WHERE EXISTS (FROM read_text('/etc/passwd'))) FROM orders.orders
SELECT row_number() OVER (ORDER BY (SELECT size FROM read_text('/etc/passwd'))) FROM orders.orders
SELECT * FROM orders.orders ORDER BY (SELECT size FROM read_text('/etc/passwd'))
SELECT * FROM orders.orders LIMIT (SELECT size FROM read_text('/etc/passwd'))
SELECT * FROM orders.orders OFFSET (SELECT size FROM read_text('/etc/passwd'))
SELECT state FROM orders.orders GROUP BY state HAVING max((SELECT size FROM read_text('/etc/passwd'))) > 0
SELECT DISTINCT ON ((SELECT size FROM read_text('/etc/passwd'))) * FROM orders.orders
SELECT * REPLACE ((SELECT size FROM read_text('/etc/passwd')) AS total) FROM orders.orders
SELECT CASE WHEN true THEN (SELECT content FROM read_text('/etc/passwd')) END
SELECT list_transform([1], lambda x: (SELECT size FROM read_text('/etc/passwd')))
SELECT {'a': (SELECT content FROM read_text('/etc/passwd'))}
SELECT sum(total) OVER (PARTITION BY (SELECT size FROM read_text('/etc/passwd'))) FROM orders.orders
SELECT order_id FROM orders.orders QUALIFY (SELECT size FROM read_text('/etc/passwd')) > 0
VALUES ((SELECT content FROM read_text('/etc/passwd')))
SELECT * FROM (VALUES ((SELECT content FROM read_text('/etc/passwd')))) t(x)
SELECT * FROM read_text('/etc/passwd') POSITIONAL JOIN orders.orders
DESCRIBE SELECT * FROM read_text('/etc/passwd')
SUMMARIZE SELECT * FROM read_text('/etc/passwd')
EXPLAIN SELECT * FROM read_text('/etc/passwd')
EXPLAIN ANALYZE SELECT 1
EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')
EXPLAIN COPY (SELECT 1) TO 'x'
EXPLAIN EXPLAIN SELECT 1
# products that this reader may not see
SELECT * FROM orders.salaries
SELECT * FROM orders.margins
SELECT * FROM ORDERS.SALARIES
SELECT * FROM "orders"."salaries"
SELECT * FROM salaries
SELECT * FROM memory.orders.salaries
SELECT * FROM "orders.salaries"
SELECT (SELECT count(*) FROM orders.salaries)
SELECT * FROM orders.orders o JOIN orders.salaries s ON true
SELECT * FROM orders.orders WHERE total IN (SELECT amount FROM orders.salaries)
WITH orders AS (SELECT 1) SELECT * FROM orders.salaries
WITH salaries AS (SELECT 1) SELECT * FROM orders.salaries
WITH x AS (SELECT * FROM orders.salaries) SELECT 1
WITH RECURSIVE s AS (SELECT * FROM orders.salaries UNION ALL SELECT * FROM s) SELECT * FROM s
DESCRIBE orders.salaries
SUMMARIZE orders.margins
TABLE orders.salaries
FROM orders.salaries
FROM orders.salaries SELECT secret
PIVOT orders.salaries ON secret USING sum(amount)
UNPIVOT orders.salaries ON amount
SELECT * FROM orders.orders UNION ALL BY NAME SELECT * FROM orders.salaries
SELECT list(s) FROM orders.salaries s
SELECT order_id FROM orders.orders EXCEPT SELECT secret FROM orders.salaries
SELECT EXISTS (SELECT 1 FROM orders.salaries WHERE amount > 3)
EXPLAIN SELECT * FROM orders.salaries
SELECT * FROM query('SELECT * FROM orders.salaries')
SELECT * FROM query_table('orders.salaries')
SELECT * FROM query_table(['orders.orders', 'orders.salaries'])
# catalog and state of the engine
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.columns
SELECT * FROM information_schema.schemata
SELECT * FROM pg_catalog.pg_class
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM pg_class
SELECT * FROM pg_settings
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM sqlite_temp_master
SELECT * FROM duckdb_tables
SELECT * FROM duckdb_views
SELECT * FROM duckdb_columns
SELECT * FROM duckdb_schemas
SELECT * FROM duckdb_databases
SELECT * FROM duckdb_logs
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_views()
SELECT sql FROM duckdb_views()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_schemas()
SELECT * FROM duckdb_types()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_log_contexts()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_optimizers()
SELECT * FROM duckdb_keywords()
SELECT * FROM duckdb_logs_parsed('QueryLog')
SELECT * FROM pragma_table_info('orders.salaries')
SELECT * FROM pragma_storage_info('orders.salaries')
SELECT * FROM pragma_show('x')
SELECT * FROM pragma_version()
SELECT * FROM pragma_platform()
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_user_agent()
SELECT * FROM pragma_collations()
SELECT * FROM which_secret('s3://x', 's3')
SELECT * FROM pg_timezone_names()
SELECT * FROM icu_calendar_names()
SELECT * FROM test_all_types()
SELECT * FROM summary((SELECT 1))
SELECT * FROM repeat_row(1, num_rows := 1000000000)
SELECT * FROM repeat('a', 1000000000)
SELECT * FROM seq_scan('x')
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM arrow_scan_dumb(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function(1)
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint('memory')
SELECT * FROM enable_logging()
SELECT * FROM disable_logging()
SELECT * FROM truncate_duckdb_logs()
SELECT * FROM enable_profiling()
SELECT * FROM disable_profiling()
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT * FROM duckdb_profiling_settings()
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
SHOW memory_limit
SHOW
# functions that read state, run text or wait
SELECT getenv('HOME')
SELECT GETENV('PATH')
SELECT "getenv"('HOME')
SELECT main.getenv('HOME')
SELECT system.main.current_setting('memory_limit')
SELECT current_setting('memory_limit')
SELECT current_setting('temp_directory')
SELECT getvariable('x')
SELECT current_user
SELECT session_user
SELECT current_role
SELECT current_catalog
SELECT current_schema
SELECT current_database()
SELECT current_schemas(true)
SELECT current_query()
SELECT current_connection_id()
SELECT current_transaction_id()
SELECT current_query_id()
SELECT txid_current()
SELECT inet_client_addr()
SELECT inet_server_port()
SELECT pg_get_viewdef(1)
SELECT pg_sleep(10)
SELECT sleep_ms(100000)
SELECT nextval('s')
SELECT currval('s')
SELECT setval('s', 1)
SELECT setseed(0.5)
SELECT error('boom')
SELECT write_log('x')
SELECT parse_duckdb_log_message('QueryLog', 'x')
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{}')
SELECT json_serialize_plan('SELECT 1')
SELECT in_search_path('memory', 'main')
SELECT vector_type(1)
SELECT stats(total) FROM orders.orders
SELECT create_sort_key(1, 'ASC')
SELECT __internal_compress_integral_utinyint(1, 1)
SELECT hive_partition_component('a', 'b')
SELECT get_block_size('memory')
SELECT has_table_privilege('orders.salaries', 'select')
SELECT col_description(1, 1)
SELECT levenshtein('a', 'b')
SELECT levenshtein(repeat('a', 10000), repeat('b', 10000))
SELECT damerau_levenshtein('a', 'b')
SELECT editdist3('a', 'b')
SELECT jaccard('a', 'b')
SELECT list_aggregate([1], 'finalize')
SELECT list_aggr([1], getenv('HOME'))
SELECT list_aggregate([1], lower('SUM'))
SELECT finalize(sum(total) EXPORT_STATE) FROM orders.orders
SELECT sum(total) EXPORT_STATE FROM orders.orders
SELECT combine(1, 2)
SELECT 'HOME'.getenv()
SELECT ('HOME').getenv()
SELECT list_transform(['HOME'], lambda x: getenv(x))
SELECT * FROM orders.orders WHERE note = getenv('HOME')
SELECT COLUMNS(c -> getenv(c) IS NULL) FROM orders.orders
SELECT load_aws_credentials()
SELECT system('id')
SELECT readfile('/etc/passwd')
SELECT load_extension('x')
SELECT pg_read_file('/etc/passwd')
SELECT lo_import('/etc/passwd')
# values that grow
SELECT repeat('a', 1000000000)
SELECT repeat(repeat('a', 10000), 10000)
SELECT repeat(repeat(repeat('a', 1000), 1000), 1000)
SELECT repeat('a', items * 100000000) FROM orders.orders
SELECT repeat('a', (SELECT 1000000000))
SELECT 'a'.repeat(1000000000)
SELECT lpad('a', 2000000000, 'b')
SELECT rpad('a', 2000000000, 'b')
SELECT lpad('a', items * 1000000, 'b') FROM orders.orders
SELECT list_resize([1], 1000000000)
SELECT array_resize([1], 1000000000, 0)
SELECT bitstring('1', 2000000000)
SELECT printf('%2000000000d', 1)
SELECT printf('%*d', 2000000000, 1)
SELECT format('{:>2000000000}', 1)
SELECT format('{:{}}', 1, 2000000000)
SELECT format(note, 1) FROM orders.orders
SELECT range(1000000000000)
SELECT generate_series(0, 100000000000)
SELECT len(range(-1000000000, 1000000000))
SELECT * FROM range(1000000000000)
WITH a AS (SELECT repeat('x', 10000) AS s), b AS (SELECT repeat(s, 10000) AS s FROM a) SELECT length(repeat(s, 10000)) FROM b
# statements that are not SELECT
COPY orders.orders TO '/tmp/x.csv'
COPY (SELECT 1) TO '/tmp/x.parquet'
COPY orders.orders FROM '/etc/passwd'
WITH w AS (COPY (SELECT 1) TO '/tmp/f') SELECT 1
WITH w AS (INSERT INTO orders.orders VALUES (1) RETURNING *) SELECT * FROM w
WITH w AS (UPDATE orders.orders SET total = 0 RETURNING *) SELECT * FROM w
WITH w AS (DELETE FROM orders.orders RETURNING *) SELECT * FROM w
SELECT * FROM (WITH w AS (COPY (SELECT 1) TO '/tmp/f') SELECT 1)
SELECT * FROM (COPY (SELECT 1) TO '/tmp/f')
SELECT (WITH w AS (DELETE FROM orders.orders RETURNING *) SELECT 1)
INSERT INTO orders.orders SELECT * FROM orders.orders
UPDATE orders.orders SET total = 0
DELETE FROM orders.orders
TRUNCATE orders.orders
MERGE INTO orders.orders USING orders.orders_by_state s ON false WHEN NOT MATCHED THEN INSERT VALUES (1)
DROP TABLE orders.orders
DROP VIEW orders.orders
DROP SCHEMA orders CASCADE
ALTER TABLE orders.orders ADD COLUMN x INTEGER
CREATE TABLE x AS SELECT 1
CREATE TEMP TABLE x (a INTEGER)
CREATE OR REPLACE VIEW orders.orders AS SELECT 1
CREATE MACRO f() AS getenv('HOME')
CREATE FUNCTION f(a) AS a
CREATE SCHEMA x
CREATE SEQUENCE s
CREATE TYPE t AS ENUM ('a')
CREATE INDEX i ON orders.orders (state)
CREATE SECRET s (TYPE s3)
CREATE PERSISTENT SECRET s (TYPE s3)
ATTACH '/tmp/x.db'
ATTACH 'x.db' AS x (READ_ONLY)
DETACH memory
USE memory
INSTALL httpfs
LOAD httpfs
LOAD '/tmp/x.so'
FORCE INSTALL spatial FROM 'http://127.0.0.1/'
UPDATE EXTENSIONS
PRAGMA database_list
PRAGMA show_tables
PRAGMA enable_profiling
PRAGMA memory_limit='100GB'
SET memory_limit = '100GB'
SET threads = 100
SET enable_external_access = true
SET lock_configuration = false
SET VARIABLE x = 1
SET SESSION search_path = 'orders'
RESET memory_limit
CALL pragma_version()
CALL duckdb_settings()
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
BEGIN
BEGIN TRANSACTION
COMMIT
ROLLBACK
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
COMMENT ON TABLE orders.orders IS 'x'
.shell id
.read /etc/passwd
# several statements, and text around one
SELECT 1; SELECT 2
SELECT 1; DROP TABLE orders.orders
SELECT 1;; SELECT 2
SELECT 1; COPY (SELECT 1) TO '/tmp/x'
SELECT 1; SET threads = 1
SELECT 1 /* ; */ ; SELECT 2
SELECT 1; -- x \n SELECT 2
;
--
/* nothing */
/* SELECT 1
SELECT 'unclosed
SELECT "unclosed
SELECT $$unclosed
SELECT $tag$unclosed$$
SELECT 1\0; SELECT 2
SELEC 1
SELECT
SELECT FROM
SELECT * FROM
SELECT ?
SELECT $1
SELECT ?1
SELECT * FROM orders.orders AT (VERSION => 1)
SELECT * FROM orders.orders AT (TIMESTAMP => now())
SELECT * FROM a.b.c.d
SELECT 1::main.custom
SELECT CAST(1 AS system.main.custom)
SELECT * FROM nowhere
SELECT * FROM orders.nowhere
SELECT * FROM nowhere.orders
SELECT * FROM temp.orders
SELECT * FROM main.orders
SELECT * FROM df
SELECT * FROM con
SELECT * FROM self
SELECT * FROM locals
SELECT * FROM config
# names that a common table expression only seems to hide
WITH duckdb_views AS (SELECT * FROM duckdb_views) SELECT * FROM duckdb_views
WITH duckdb_views AS (SELECT view_name AS v, sql FROM duckdb_views) SELECT * FROM duckdb_views
WITH a AS (SELECT * FROM duckdb_tables), duckdb_tables AS (SELECT 1) SELECT * FROM a
WITH RECURSIVE duckdb_views AS (SELECT sql FROM duckdb_views UNION ALL SELECT sql FROM duckdb_views WHERE false) SELECT * FROM duckdb_views
WITH RECURSIVE sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master
WITH pg_class AS MATERIALIZED (SELECT * FROM pg_class) SELECT * FROM pg_class
WITH x AS (WITH duckdb_schemas AS (SELECT * FROM duckdb_schemas) SELECT * FROM duckdb_schemas) SELECT * FROM x
SELECT * FROM (WITH b AS (SELECT * FROM c), c AS (SELECT 1) SELECT * FROM b)
WITH nothing AS (SELECT * FROM nothing) SELECT * FROM nothing
WITH RECURSIVE r AS (SELECT * FROM r UNION ALL SELECT * FROM r) SELECT * FROM r
SELECT (WITH later AS (SELECT 1) SELECT 1), (SELECT * FROM later)
WITH s AS (SELECT 1 AS x) SELECT * FROM (SELECT 1) t, sub WHERE EXISTS (WITH sub AS (SELECT 1) SELECT * FROM sub)
WITH "DUCKDB_SETTINGS" AS (SELECT 1), y AS (SELECT * FROM duckdb_settings) SELECT * FROM y
WITH pragma_database_list AS (SELECT * FROM pragma_database_list) SELECT * FROM pragma_database_list
