-- The settings of a reader of changes.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = postgres;
SET extra_float_digits = 3;
SET bytea_output = hex;
SET lc_monetary = 'C';
SET xmloption = content;
SET client_min_messages = warning;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;

-- Functions for random values, in PL/pgSQL so that they are called again for every row.
CREATE FUNCTION rint(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN RETURN floor(random() * n); END $$;
CREATE FUNCTION rtext() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := '';
BEGIN
  FOR i IN 1..rint(6) LOOP
    t := t || (ARRAY['a', 'B', '"',
      '\', '''', '{', '}', '(', ')', '[', ']', '<', '>', ',', ';', ':', '=', ' ',
      E'\t', E'\n', E'\r', E'\u000B', E'\f', 'NULL', 'null', 'é', E'\u00A0', E'\u2028',
      '😀', '0', '-', '.', '%', '&', '|', '!', E'\u0001'])[1 + rint(37)];
  END LOOP;
  RETURN t;
END $$;
CREATE FUNCTION rnull(t anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$
BEGIN RETURN CASE WHEN random() < 0.2 THEN NULL ELSE t END; END $$;
CREATE FUNCTION rtexts() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE a text[] := '{}';
BEGIN
  CASE rint(5)
    WHEN 0 THEN RETURN ARRAY[
        [rtext(), rnull(rtext())], [rnull(rtext()), rtext()], [rtext(), rtext()]];
    WHEN 1 THEN RETURN ARRAY[[[rtext()], [rnull(rtext())]]];
    WHEN 2 THEN a[rint(9) - 4] := rtext(); a[array_upper(a, 1) + 1 + rint(3)] := rtext(); RETURN a;
    ELSE FOR i IN 1..rint(4) LOOP a := a || rnull(rtext()); END LOOP; RETURN a;
  END CASE;
END $$;
CREATE FUNCTION rbytea() RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN RETURN decode(left(md5(random()::text), 2 * rint(9)), 'hex'); END $$;
CREATE FUNCTION rfloat() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(9) WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity'
    WHEN 3 THEN rint(9) - 4
    ELSE (random() - 0.5) * 10.0 ^ (rint(60) - 30) END;
END $$;
CREATE FUNCTION rfinite() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN RETURN (random() - 0.5) * 10.0 ^ (rint(20) - 10); END $$;
CREATE FUNCTION rpoint() RETURNS point LANGUAGE plpgsql AS $$
BEGIN RETURN point(rfloat(), rfloat()); END $$;
CREATE FUNCTION rpoints() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := point(rfinite(), rfinite())::text;
BEGIN FOR i IN 1..rint(5) LOOP t := t || ',' || rpoint()::text; END LOOP; RETURN t; END $$;
CREATE FUNCTION rnumeric() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE t text := '';
BEGIN
  FOR i IN 1..1 + rint(12) LOOP
    t := t || (ARRAY['0', '0000', '1', '9999', '10', '57'])[1 + rint(6)];
  END LOOP;
  IF random() < 0.5 THEN
    t := t || '.';
    FOR i IN 1..1 + rint(12) LOOP
      t := t || (ARRAY['0', '0000', '1', '9999', '10', '57'])[1 + rint(6)];
    END LOOP;
  END IF;
  RETURN (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || t)::numeric;
END $$;
CREATE FUNCTION rday() RETURNS date LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(10) WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity'
    ELSE date '0050-01-01' + rint(1400000) - 40000 END;
END $$;
CREATE FUNCTION rmoment() RETURNS timestamp LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(10) WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN rday()::timestamp
    ELSE timestamp '0001-06-01' + (rint(4000000) - 200000) * interval '1 day'
      + random() * interval '1 day' END;
END $$;
CREATE FUNCTION rbounds() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN (ARRAY['()', '[)', '(]', '[]'])[1 + rint(4)]; END $$;
CREATE FUNCTION rlexeme() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN '''' ||
    replace(replace(regexp_replace(rtext(), '\s', '', 'g') || 'x', '\', '\\'), '''', '''''') || ''''
    || CASE WHEN random() < 0.3 THEN ':' || (ARRAY['*', 'A', 'BC', '*D', 'ABCD'])[1 + rint(5)]
      ELSE '' END;
END $$;
CREATE FUNCTION rquery(depth int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF depth = 0 OR random() < 0.2 THEN RETURN rlexeme(); END IF;
  IF random() < 0.25 THEN RETURN '!' || '(' || rquery(depth - 1) || ')'; END IF;
  RETURN '(' || rquery(depth - 1) || ')'
    || (ARRAY['&', '|', '<->', '<0>', '<16384>', '<2>'])[1 + rint(6)]
    || '(' || rquery(depth - 1) || ')';
END $$;
CREATE FUNCTION rrow() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := rlexeme();
BEGIN
  FOR i IN 1..rint(50) LOOP
    t := t || (ARRAY['&', '|', '<->', '& !', '<3>'])[1 + rint(5)] || rlexeme();
  END LOOP;
  RETURN t;
END $$;
CREATE FUNCTION rtexts_flat() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE a text[] := '{}';
BEGIN FOR i IN 1..rint(5) LOOP a := a || rnull(rtext()); END LOOP; RETURN a; END $$;
CREATE FUNCTION rbounds_open() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN (ARRAY['()', '[)'])[1 + rint(2)]; END $$;
CREATE FUNCTION rhstore() RETURNS hstore LANGUAGE plpgsql AS $$
DECLARE h hstore := '';
BEGIN
  FOR i IN 1..rint(5) LOOP h := h || hstore(rtext(), rnull(rtext())); END LOOP;
  RETURN h;
END $$;
CREATE FUNCTION rbig() RETURNS int8 LANGUAGE plpgsql AS $$
BEGIN RETURN (random() * 4294967295)::int8; END $$;
CREATE FUNCTION rinet() RETURNS inet LANGUAGE plpgsql AS $$
DECLARE t text := to_hex(rint(65536));
BEGIN
  IF random() < 0.5 THEN RETURN set_masklen('0.0.0.0'::inet + rbig(), rint(33)); END IF;
  FOR i IN 2..8 LOOP
    t := t || ':' || CASE WHEN random() < 0.6 THEN '0' ELSE to_hex(rint(65536)) END;
  END LOOP;
  RETURN set_masklen(t::inet, rint(129));
END $$;
CREATE FUNCTION rsnapshot() RETURNS text LANGUAGE plpgsql AS $$
DECLARE xmin int8 := 1 + rbig(); xid int8 := xmin; xids text[] := '{}';
BEGIN
  FOR i IN 1..rint(6) LOOP xids := xids || xid::text; xid := xid + 1 + rint(99); END LOOP;
  RETURN xmin || ':' || xid || ':' || array_to_string(xids, ',');
END $$;
