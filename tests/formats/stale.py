"""Were the page wrong anywhere, it would be noticed: of each table two fields change places, one pair after the other."""
import blocks
import page
import reader


# What has the same value in every file that is written today.
ALIKE = ('features that a reader need not know', 'bytes of the body as it lies here')


def pairs():
    """(which structure, i): fields i and i + 1 of it are as wide as each other."""
    made = page.Page()
    blocks.Layout(made)
    for number, struct in enumerate(made.made):
        for i in range(len(getattr(struct, 'fields', [])) - 1):
            if struct.fields[i][2] == struct.fields[i + 1][2] and struct.fields[i][0] not in ALIKE:
                yield number, i


def with_swapped(number, i):
    made = page.Page()
    layout = blocks.Layout(made)
    fields = made.made[number].fields
    (one, at, size), (other, behind, _) = fields[i], fields[i + 1]
    fields[i], fields[i + 1] = (other, at, size), (one, behind, size)
    return layout, f'{made.made[number].title}: "{one}" and "{other}"'


def noticed(data, layout, mail):
    try:
        look = reader.Look(data, layout)
        return bool(look.findings.found) or look.mail() != mail
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, blocks.Broken, page.Wrong):
        return True  # it could not even be read


def swapped(ended):
    tried, missed, mail = 0, [], ended.look.mail()
    for number, i in pairs():
        layout, what = with_swapped(number, i)
        tried += 1
        if not noticed(ended.data, layout, mail):
            missed.append(what)
    assert tried > 40 and not missed, (tried, missed)


def run(checks, ended):
    checks.run('a page that has any two fields of the same width the wrong way round is noticed', swapped, ended)
