"""The strict grammar itself: what it must read, and what it must not let pass."""
import imap_grammar

GOOD = [
    b'+ idling', b'+ ', b'+ PDEyMz4=', b'a.1 OK done', b'a NO [LIMIT] too many', b'* BAD what', b'* BYE [UNAVAILABLE] later',
    b'* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready', b'* CAPABILITY IMAP4rev1 LITERAL+', b'a OK [COPYUID 1 2:3,5 7:9] x',
    b'* OK [PERMANENTFLAGS (\\Seen k \\*)] x', b'* OK [PERMANENTFLAGS ()] x', b'a NO [BADCHARSET (UTF-8 "US-ASCII")] x',
    b'a OK [MODIFIED 1,3:4] x', b'* FLAGS ()', b'* FLAGS (\\Seen $k)', b'* 0 EXISTS', b'* 7 EXPUNGE', b'* SEARCH', b'* SEARCH 1 2',
    b'* SEARCH 1 (MODSEQ 5)', b'* ESEARCH (TAG "a") UID ALL 1:3,7 COUNT 4', b'* ESEARCH', b'* LIST () NIL x', b'* LIST (\\A \\B) "/" "a b"',
    b'* LSUB (\\Noselect) "\\\\" {2}\r\nab', b'* LIST () "/" x ("CHILDINFO" ("SUBSCRIBED"))', b'* STATUS a] (MESSAGES 0 UIDNEXT 1)',
    b'* NAMESPACE (("" "/")) NIL NIL', b'* ID NIL', b'* ID ("name" "x" "y" NIL)', b'* ENABLED', b'* ENABLED CONDSTORE',
    b'* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (7))', b'* 1 FETCH (BODY[] {3}\r\n(\r\n BODY[1.MIME]<0> "" BODY[2.HEADER.FIELDS.NOT (a "]")] NIL)',
    b'* 1 FETCH (INTERNALDATE " 1-Jan-2026 00:00:00 +0100" RFC822.SIZE 0)',
    b'* 1 FETCH (ENVELOPE (NIL "" (("a" NIL "b" "c")(NIL NIL "d" NIL)) NIL NIL NIL NIL NIL NIL "<x>"))',
    b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" ("a" "b") NIL NIL "7BIT" 3 1 NIL ("inline" NIL) ("de" "en") NIL))',
    b'* 1 FETCH (BODY (("text" "plain" NIL NIL NIL "7BIT" 3 1)("a" "b" NIL NIL NIL "7BIT" 3) "mixed"))',
]
BAD = [
    b'', b'+', b'+ x\x80', b'a OK', b'a OK ', b'a OK  x', b'a OK x ', b'a PREAUTH x', b'a BYE x', b'* OK [LIMIT]', b'* OK [NOSUCH] x',
    b'* OK [UNSEEN 0] x', b'* OK [UIDVALIDITY 4294967296] x', b'* OK [HIGHESTMODSEQ 0] x', b'a OK [COPYUID 1 2: 3] x', b'* OK caf\xc3\xa9',
    b'* CAPABILITY LITERAL+', b'* CAPABILITY IMAP4rev1 A A', b'* CAPABILITY IMAP4rev1  A', b'* 0 EXPUNGE', b'* 00 EXISTS', b'* 1 EXISTS ',
    b'* SEARCH ', b'* SEARCH 0', b'* SEARCH 1  2', b'* ESEARCH (TAG "a") ALL 1:*', b'* ESEARCH (TAG "a") COUNT 1 COUNT 1', b'* ESEARCH (TAG a)',
    b'* LIST () "//" x', b'* LIST ( ) "/" x', b'* LIST (Marked) "/" x', b'* LIST () "/" caf\xe9', b'* LIST () "/" a b', b'* LIST () "/" ',
    b'* STATUS x ()', b'* STATUS x (UIDNEXT 0)', b'* STATUS x (MESSAGES 1 )', b'* FLAGS (\\Seen  k)', b'* FLAGS (a])', b'* NAMESPACE NIL NIL',
    b'* ID ("a")', b'* 1 FETCH ()', b'* 1 FETCH (UID 1 UID 1)', b'* 1 FETCH (UID 0)', b'* 1 FETCH (UID 01)', b'* 1 FETCH (FLAGS () )',
    b'* 1 FETCH (BODY[] {3}\r\na\0b)', b'* 1 FETCH (BODY[] {4}\r\nabc)', b'* 1 FETCH (BODY[0] NIL)', b'* 1 FETCH (BODY[MIME] NIL)',
    b'* 1 FETCH (BODY[HEADER.FIELDS ()] NIL)', b'* 1 FETCH (BODY[] "a\x80")', b'* 1 FETCH (BODY[] "a\\b")', b'* 1 FETCH (NOSUCH 1)',
    b'* 1 FETCH (INTERNALDATE "1-Jan-2026 00:00:00 +0100")', b'* 1 FETCH (MODSEQ 7)', b'* 1 FETCH (MODSEQ (0))',
    b'* 1 FETCH (ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))', b'* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL))',
    b'* 1 FETCH (ENVELOPE (NIL NIL ((NIL NIL "a" "b") (NIL NIL "c" "d")) NIL NIL NIL NIL NIL NIL NIL))',
    b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" () NIL NIL "7BIT" 3 1))', b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" NIL NIL NIL NIL 3 1))',
    b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7BIT" 3))', b'* 1 FETCH (BODYSTRUCTURE ("a" "b" NIL NIL NIL "7BIT" -3))',
    b'* 1 FETCH (BODYSTRUCTURE ("multipart" "mixed" NIL NIL NIL "7BIT" 3))', b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" ("a" NIL) NIL NIL "7BIT" 3 1))',
    b'* 1 FETCH (BODY ("a" "b" NIL NIL NIL "7BIT" 3 "md5"))', b'* 1 FETCH (UID 1)x', b'* 1 NOSUCH', b'* NOSUCH', b'*  SEARCH',
]


def refuses(response):
    try:
        imap_grammar.check(response)
    except imap_grammar.Bad:
        return True
    return False


def the_grammar_is_strict():
    for response in GOOD:
        imap_grammar.check(response + b'\r\n')
        assert refuses(response + b'\n') and refuses(response), response
    passed = [response for response in BAD if not refuses(response + b'\r\n')]
    assert not passed, passed


def a_tap_finds_the_responses_in_any_cut():
    stream = b''.join(response + b'\r\n' for response in GOOD)
    for step in 1, 2, 7, len(stream):
        tap = imap_grammar.Tap()
        for at in range(0, len(stream), step):
            tap.feed(stream[at:at + step])
        assert not tap.buffer
    try:
        imap_grammar.Tap().feed(stream + BAD[1] + b'\r\n')
    except imap_grammar.Bad:
        return
    raise AssertionError('a bad response passed the tap')


def run(checks):
    checks.run('the grammar of responses is strict', the_grammar_is_strict)
    checks.run('a tap finds the responses in any cut', a_tap_finds_the_responses_in_any_cut)
