-- Search: the terms of a message, and the order of messages.
--
-- The terms are a function of the message's row, so the index of 0037 changes in the transaction that posts, edits,
-- deletes or trims, without a trigger or a column. One index answers every search: besides its words a message has terms
-- for its room, its author, a link and code. The words are those of the configuration `simple`, which exists everywhere
-- and treats all languages alike: no stemming, but a search matches the beginnings of words.
--
-- Scripts that are written without spaces have no words that the parser could find, and `pg_trgm`, which would find
-- parts of them, is missing on some hosts and ignores them in databases with the locale C. So each of their characters is
-- a word, and their words are phrases.
--
-- Expands the schema: the release before maintains the indexes without knowing it.

-- Puts spaces around each character of Thai, Lao, Burmese, Khmer, Chinese, Japanese and Korean, and removes the ids of
-- mentions, punctuation, symbols and emoji: with the locale C the parser takes whatever is not ASCII for a letter.
-- Accents are composed. A text in ASCII without a mention is returned as it is. Its body is parsed now, as that of the next function:
-- a dump is restored with an empty search path, in which an index could not find them by name.
create function spaced(p_text text) returns text
language sql immutable parallel safe
return case
    when octet_length(p_text) = length(p_text) and strpos(p_text, '@[user:') = 0 then p_text
    else regexp_replace(
        regexp_replace(
            regexp_replace(normalize(p_text), '@\[user:[0-9a-fA-F-]{36}\]', ' ', 'g'),
            '[\u0080-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u055A-\u055F\u0589\u05BE\u05C0\u05C3\u05F3\u05F4\u060C\u061B\u061F\u06D4\u0964\u0965\u2000-\u200B\u200E-\u206F\u20A0-\u20CF\u2100-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u303F\uFE00-\uFE1F\uFE30-\uFE6F\uFEFF\uFF00-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFEF\U0001F000-\U0001FAFF\U000E0000-\U000E0FFF]',
            ' ', 'g'),
        '([\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\uFF66-\uFF9D\U00020000-\U0003FFFF])',
        ' \1 ', 'g')
end;

-- Punctuation becomes space, so that a word is a run of letters and digits: the parser would keep `example.org` and
-- `src/main.rs` whole, and skip whatever looks like a tag. No word begins with `@`. Null for a deleted message.
create function message_terms(p_room uuid, p_author uuid, p_body text) returns tsvector
language sql immutable parallel safe
return to_tsvector('pg_catalog.simple'::regconfig, translate(spaced(p_body), '-./:@_+~%&=?#<>', '               '))
        || array_to_tsvector(
            array['@room:' || p_room::text, '@from:' || p_author::text]
            || case when strpos(p_body, '://') > 0 and p_body ~* 'https?://' then array['@has:link'] else '{}' end
            || case when strpos(p_body, '`') > 0 then array['@has:code'] else '{}' end);

-- Results are the newest first, whatever their rooms. Posts wait while this index is built: half a second for a million
-- messages.
create index messages_by_pos on messages (pos) where body is not null;

-- Returns the first position at which messages are not older than this time, less a day, since clocks can be set back.
-- Positions are in the order of time otherwise. Null for null.
create function first_pos_at(p_at timestamptz) returns bigint
language plpgsql stable strict
as $$
declare
    v_at   timestamptz := p_at - interval '1 day';
    v_low  bigint := 1;
    v_high bigint := (select h.pos + 1 from log_head h);
    v_mid  bigint;
begin
    while v_low < v_high loop
        v_mid := (v_low + v_high) / 2;
        if (select m.created_at from messages m where m.body is not null and m.pos >= v_mid order by m.pos limit 1) < v_at
        then
            v_low := v_mid + 1;
        else
            v_high := v_mid;
        end if;
    end loop;
    return v_low;
end $$;

-- The query for words in the syntax of `to_tsquery` and terms in that of `tsquery`, all of which a message must have;
-- null without any. Words of one term may be anywhere in the message: to compare positions, PostgreSQL would parse every
-- message that has the words. The notice about a query without words would quote it in logs.
create function search_query(p_words text, p_terms text) returns tsquery
language sql immutable parallel safe
set client_min_messages = warning
as $$
    select nullif(
        regexp_replace(to_tsquery('pg_catalog.simple'::regconfig, spaced(p_words))::text, '<[-0-9]+>', '&', 'g')::tsquery
            && p_terms::tsquery,
        ''::tsquery)
$$;

-- Reads the newest `p_read` messages in [p_from, p_to), and returns the newest `p_most` that match and the position down
-- to which it read. For words that every fiftieth message has: a page of them is among the newest thousand.
--
-- `p_parts` and `p_not_parts` are texts that a message must contain or not, in whatever case, such as phrases. Messages in
-- archived rooms do not match, except in those of `p_archived`.
create function walk_messages(
    p_query tsquery, p_parts text[], p_not_parts text[], p_since timestamptz, p_until timestamptz, p_archived uuid[],
    p_from bigint, p_to bigint, p_most integer, p_read integer
) returns table (ids uuid[], positions bigint[], reached bigint)
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    reached := coalesce((
        select m.pos from messages m
        where m.body is not null and m.pos >= p_from and m.pos < p_to
        order by m.pos desc offset p_read - 1 limit 1), p_from);
    select coalesce(array_agg(f.id order by f.pos desc), '{}'), coalesce(array_agg(f.pos order by f.pos desc), '{}')
    into ids, positions
    from (
        select m.id, m.pos from messages m
        join rooms r on r.id = m.room_id and (not r.is_archived or r.id = any (p_archived))
        where m.body is not null and m.pos >= reached and m.pos < p_to
          and m.created_at >= p_since and m.created_at < p_until
          and (p_query is null or message_terms(m.room_id, m.author_id, m.body) @@ p_query)
          and not exists (select from unnest(p_parts) p where strpos(lower(m.body), lower(p)) = 0)
          and not exists (select from unnest(p_not_parts) p where strpos(lower(m.body), lower(p)) > 0)
        order by m.pos desc limit p_most) f;
    return next;
end $$;

-- Returns the same of all messages in [p_from, p_to), found by the index of terms. Its cost grows with the number of
-- messages that have the rarest of the terms, so the caller chooses the range.
create function find_messages(
    p_query tsquery, p_parts text[], p_not_parts text[], p_since timestamptz, p_until timestamptz, p_archived uuid[],
    p_from bigint, p_to bigint, p_most integer
) returns table (ids uuid[], positions bigint[])
language plpgsql stable
set enable_seqscan = off
set enable_indexscan = off
set jit = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
begin
    select coalesce(array_agg(f.id order by f.pos desc), '{}'), coalesce(array_agg(f.pos order by f.pos desc), '{}')
    into ids, positions
    from (
        select m.id, m.pos from messages m
        join rooms r on r.id = m.room_id and (not r.is_archived or r.id = any (p_archived))
        where m.body is not null and m.pos >= p_from and m.pos < p_to
          and message_terms(m.room_id, m.author_id, m.body) @@ p_query
          and m.created_at >= p_since and m.created_at < p_until
          and not exists (select from unnest(p_parts) p where strpos(lower(m.body), lower(p)) = 0)
          and not exists (select from unnest(p_not_parts) p where strpos(lower(m.body), lower(p)) > 0)
        order by m.pos desc limit p_most) f;
    return next;
end $$;
