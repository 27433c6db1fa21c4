-- Writes format_type.tsv: oid, type modifier, what format_type prints. An empty modifier is NULL.
--   psql -X -q -At -F '<tab>' -f format_type.sql > format_type.tsv
with built_in as (
  select oid, typname from pg_type where oid < 10000 and (typtype in ('b', 'r', 'm') or typname in ('record', '_record', 'cstring', 'unknown'))
  union all select oid, typname from pg_type where oid in (71, 75, 81, 83)
), modifier as (
  select null::int as typmod union all select -1
), fitting(base, typmod) as (
  select 'varchar', n from unnest(array[4, 5, 14, 10485764]) n
  union all select 'bpchar', n from unnest(array[4, 5, 14, 10485764]) n
  union all select base, n from unnest(array['bit', 'varbit']) base, unnest(array[1, 9, 83886080]) n
  union all select base, n from unnest(array['time', 'timetz', 'timestamp', 'timestamptz']) base, generate_series(0, 6) n
  union all select 'numeric', ((p << 16) | (s & 2047)) + 4 from unnest(array[1, 10, 38, 1000]) p, unnest(array[0, 2, 1000, -3, -1000]) s
  union all select 'interval', (fields << 16) | digits from unnest(array[4, 2, 8, 1024, 2048, 4096, 6, 1032, 3080, 7176, 3072, 7168, 6144, 32767]) fields, unnest(array[0, 3, 6, 65535]) digits
)
select oid, typmod, format_type(oid, typmod) from (
  select oid, typmod from built_in, modifier
  union all
  select b.oid, f.typmod from built_in b join fitting f on b.typname in (f.base, '_' || f.base)
) x order by oid, typmod nulls first;
