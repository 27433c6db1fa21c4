-- Writes values.tsv: type, the server's text, its binary form in hexadecimal.
--   psql -X -q -At -F '<tab>' -f values.sql > values.tsv
-- Run it on PostgreSQL 16 or later, for the text of "char" above 127. All other lines are the same
-- on all servers.
set client_min_messages = warning;
set timezone = 'UTC';
set datestyle = 'ISO, MDY';
set intervalstyle = postgres;
set extra_float_digits = 3;
set bytea_output = hex;
set lc_monetary = 'C';
create temp table sample (line serial, type text, value text, bytes text);
create function pg_temp.add(type text, send text, variadic samples text[]) returns void language plpgsql as $$
declare sample text;
begin
  foreach sample in array samples loop
    execute format('insert into sample (type, value, bytes) select %L, format(''%%s'', %L::%s), encode(%s(%L::%s), ''hex'')',
                   type, sample, type, send, sample, type);
  end loop;
end $$;
\o /dev/null
-- Generates the same values on every run.
select setseed(0.25);

select pg_temp.add('boolean', 'boolsend', 't', 'f');
select pg_temp.add('smallint', 'int2send', '0', '-1', '-32768', '32767');
select pg_temp.add('integer', 'int4send', '0', '-1', '-2147483648', '2147483647');
select pg_temp.add('bigint', 'int8send', '0', '-1', '-9223372036854775808', '9223372036854775807');
select pg_temp.add('oid', 'oidsend', '0', '1', '4294967295');
select pg_temp.add('real', 'float4send', '0', '-0', '1', '0.1', '-1.5', 'NaN', 'Infinity', '-Infinity', '1e5', '123456',
  '999999', '1e6', '1234567', '16777216', '0.0001', '0.00001', '0.00012345', '3.4028235e38', '1.1754944e-38', '1e-45', '33554432', '8388608.5', '5e9', '67108864', '9e-10');
select pg_temp.add('real', 'float4send', variadic (select array_agg(p || '') from (select power(2::float8, e)::float4 p from generate_series(-149, 127) e) x));
select pg_temp.add('real', 'float4send', variadic (select array_agg(((random() * 2 - 1) * power(10::float8, random() * 76 - 38))::float4 || '') from generate_series(1, 500)));
select pg_temp.add('double precision', 'float8send', '0', '-0', '1', '0.1', '-1.5', 'NaN', 'Infinity', '-Infinity', '1e14', '123456789012345',
  '999999999999999', '1e15', '1234567890123456', '9007199254740993', '0.0001', '0.00001', '0.00012345', '1.7976931348623157e308',
  '2.2250738585072014e-308', '5e-324', '1e23', '-1e23', '9.5367431640625e-07', '8.5e22', '2e22', '123e20', '100', '120.5', '0.3333333333333333', '1e22', '9e22', '5e22');
select pg_temp.add('double precision', 'float8send', variadic (select array_agg(power(2::float8, e) || '') from generate_series(-1022, 1023) e));
select pg_temp.add('double precision', 'float8send', variadic (select array_agg((m || 'e' || e)::float8 || '') from generate_series(1, 9) m, generate_series(15, 40) e));
select pg_temp.add('double precision', 'float8send', variadic (select array_agg(((random() * 2 - 1) * power(10::float8, random() * 600 - 300)) || '') from generate_series(1, 500)));
select pg_temp.add('numeric', 'numeric_send', '0', '0.00', '-0', '1', '-1', '10', '10000', '9999', '0.1', '-0.5', '0.0001', '0.00001', '0.00000001000',
  '12.30', '1234567890.0987654321', '10000000000000000', '100000001', '1.00000000', '99999999999999999999.99999999999999999999', 'NaN', 'Infinity', '-Infinity',
  '1e40', '1e-40', '-1e-16', '-12345.6789', '0.10', '1e1000', '1e-1000', '18446744073709551616');
select pg_temp.add('numeric', 'numeric_send', variadic (select array_agg(round(((random() * 2 - 1) * power(10::numeric, (random() * 40)::int - 20))::numeric, (random() * 30)::int) || '') from generate_series(1, 500)));
select pg_temp.add('text', 'textsend', '', 'a', E'\t\n\r\\"', 'é漢😀', E'\u2028');
select pg_temp.add('character varying', 'varcharsend', '', 'abc ');
select pg_temp.add('character(5)', 'bpcharsend', '', 'a', 'é');
select pg_temp.add('name', 'namesend', '', 'Ünïcode', 'pg_class');
select pg_temp.add('xml', 'xml_send', '<a b="c">é</a>');
select pg_temp.add('"char"', 'charsend', '', 'a', '\');
select pg_temp.add('bytea', 'byteasend', '', '\x', '\x00', '\x00017f80ff5c', '\xdeadbeef');
select pg_temp.add('uuid', 'uuid_send', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11');
select pg_temp.add('date', 'date_send', 'infinity', '-infinity', '4714-11-24 BC', '0001-12-31 BC', '0001-01-01', '0005-02-29 BC', '0004-02-28 BC', '1582-10-10',
  '1900-02-28', '2000-02-29', '1999-12-31', '2000-01-01', '9999-12-31', '10000-01-01', '5874897-12-31');
select pg_temp.add('date', 'date_send', variadic (select array_agg(('2000-01-01'::date + ((random() * 2 - 1) * 2400000)::int) || '') from generate_series(1, 300)));
select pg_temp.add('time', 'time_send', '00:00:00', '24:00:00', '23:59:59.999999', '12:30:00.5', '01:02:03.000001', '04:05:06.78');
select pg_temp.add('time with time zone', 'timetz_send', '00:00:00+00', '24:00:00-15:59:59', '12:30:00.5+05:30', '23:59:59.999999+15:59:59',
  '12:00:00-00:00:01', '01:02:03-03:30', '01:02:03+00:19:32');
select pg_temp.add('timestamp', 'timestamp_send', 'infinity', '-infinity', '4714-11-24 00:00:00 BC', '0001-12-31 23:59:59.999999 BC', '0001-01-01 00:00:00',
  '1970-01-01 00:00:00', '1999-12-31 23:59:59.9', '2000-01-01 00:00:00', '2000-02-29 12:00:00.000001', '9999-12-31 23:59:59.999999',
  '10000-01-01 00:00:00', '294276-12-31 23:59:59.999999');
select pg_temp.add('timestamp', 'timestamp_send', variadic (select array_agg(('2000-01-01'::timestamp + (random() * 2 - 1) * interval '6700 years' + random() * interval '86400 s') || '') from generate_series(1, 300)));
select pg_temp.add('timestamp with time zone', 'timestamptz_send', 'infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '0001-12-31 23:59:59.999999+00 BC',
  '2000-01-01 05:30:00+05:30', '2022-01-14 17:22:10.298334+00', '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00', '294276-12-31 23:59:59.999999+00');
select pg_temp.add('json', 'json_send', '{"a": 1.10, "a":  null}', E'[1,\n2]', '"x"');
select pg_temp.add('jsonb', 'jsonb_send', '{"b": 1.10, "a":  null, "a": [1e3, "\n"]}', 'null', '12345678901234567890.1230');

select pg_temp.add('money', 'cash_send', '0', '0.01', '-0.01', '-1', '999.99', '1000', '1234567.89', '-1000000', '92233720368547758.07', '-92233720368547758.08');
select pg_temp.add('xid', 'xidsend', '0', '3', '4294967295');
select pg_temp.add('xid8', 'xid8send', '0', '4294967296', '18446744073709551615');
select pg_temp.add('cid', 'cidsend', '0', '4294967295');
select pg_temp.add('tid', 'tidsend', '(0,1)', '(4294967295,65535)');
select pg_temp.add('pg_lsn', 'pg_lsn_send', '0/0', '16/B374D848', 'FFFFFFFF/FFFFFFFF');
select pg_temp.add('interval', 'interval_send', '0', '1 year', '-1 year', '1 mon', '-1 mon', '1 day', '-1 day', '1 year 2 mons 3 days 04:05:06.789',
  '1 year -2 mons +3 days -04:05:06.000001', '-1 year -2 mons +3 days 04:05:06', '-3 days 04:00:00', '14 mons', '-14 mons 15 days', '00:00:00.1', '-00:00:00.1',
  '-00:01:00', '100:00:00', '2147483647 months', '-2147483648 months', '2147483647 days', '-2147483648 days',
  '2562047788:00:54.775807', '-2562047788:00:54.775807', '1 mon -1 day 1 us', '25 hours', '1 day 24:00:00');
select pg_temp.add('interval', 'interval_send', variadic (select array_agg(make_interval(months => ((random() * 2 - 1) * 100)::int, days => ((random() * 2 - 1) * 100)::int,
  secs => (random() * 2 - 1) * power(10::float8, random() * 8)) || '') from generate_series(1, 300)));
select pg_temp.add('inet', 'inet_send', '0.0.0.0', '192.168.0.1', '192.168.0.1/24', '255.255.255.255/0', '10.1.2.3/31', '::', '::1', '::5', '::1.2.3.4', '::ffff:1.2.3.4',
  '::ffff:0:1', '0:0:1::', '1::', '1:0:0:2:0:0:0:3', '1:0:2:3:4:5:6:7', '::0.1.0.0', '::1:0:0:0', '1:2:3:4:5:6:0:0', '1:2:3:4:5:6:7:0', '::ffff:0.0.0.0',
  '0:0:0:0:1:0:0:0', '::1:2.3.4.5', '0:0:0:0:0:ffff:1:0/100', '::2:3:4:5:6:7:8', '1:2:3:0:0:4:5:6', 'a:B:c:0:0:d:0:0', 'fe80::1/64', '::1:2:3/0');
select pg_temp.add('inet', 'inet_send', variadic (select array_agg((select string_agg(case when random() < 0.6 then '0' else to_hex((random() * 65535)::int) end, ':') from generate_series(1, 8) where n > 0)) from generate_series(1, 300) n));
select pg_temp.add('cidr', 'cidr_send', '0/0', '10/8', '192.168.0.0/16', '1.2.3.4', '::/0', '::/96', '::ffff:1.2.3.0/120', '1::/64', 'ffff::1/128');
select pg_temp.add('macaddr', 'macaddr_send', '00:00:00:00:00:00', '08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff');
select pg_temp.add('macaddr8', 'macaddr8_send', '00:00:00:00:00:00:00:00', '08:00:2b:01:02:03:04:05');
select pg_temp.add('bit(1)', 'bit_send', '0', '1');
select pg_temp.add('bit(9)', 'bit_send', '101010101', '000000001');
select pg_temp.add('bit varying', 'varbit_send', '', '0', '1', '11111111', '0101010101010101', '10000000000000001');



select pg_temp.add('point', 'point_send', '(0,0)', '(-1.5,1e23)', '(NaN,Infinity)');
select pg_temp.add('line', 'line_send', '{1,-1,0}', '{0,0.1,1e-7}');
select pg_temp.add('lseg', 'lseg_send', '[(0,0),(1,1.5)]');
select pg_temp.add('box', 'box_send', '(0,0),(1,1.5)', '(2,0),(-1,1)');
select pg_temp.add('path', 'path_send', '[(0,0)]', '((0,0),(1,0),(1,1))', '[(0,0),(1,0),(-0,1e300)]');
select pg_temp.add('polygon', 'poly_send', '((0,0))', '((0,0),(1,0),(1,1))');
select pg_temp.add('circle', 'circle_send', '<(0,0),0>', '<(1.5,-2),1e100>');
select pg_temp.add('jsonpath', 'jsonpath_send', '$.a[*] ? (@ > 1)', 'strict $."b c"');
select pg_temp.add('pg_snapshot', 'pg_snapshot_send', '1:1:', '10:20:10,14,15');
select pg_temp.add('txid_snapshot', 'txid_snapshot_send', '10:9223372036854775807:14');

select pg_temp.add('tsvector', 'tsvectorsend', '', 'a', 'cat:1A,2B,3C,4D dog', $$'it''s':2 'b c\\d':16383$$, 'é:1');

\o
select type, replace(replace(replace(replace(value, '\', '\\'), E'\n', '\n'), E'\r', '\r'), E'\t', '\t'), bytes from sample order by line;
