#!/usr/bin/env python3
"""Turn mail files into C arrays: embed.py OUT.c FILE..."""
import os
import sys

out, files = sys.argv[1], sys.argv[2:]
with open(out, 'w') as c:
    c.write('#include "core/cli/sample.h"\n\n')
    for i, path in enumerate(files):
        data = open(path, 'rb').read()
        c.write('static const unsigned char mail_%d[] = {\n' % i)
        for at in range(0, len(data), 16):
            c.write('\t' + ' '.join('%d,' % b for b in data[at:at + 16]) + '\n')
        c.write('};\n\n')
    c.write('const struct sample sample_mail[] = {\n')
    for i, path in enumerate(files):
        c.write('\t{ "%s", mail_%d, sizeof(mail_%d) },\n' % (os.path.basename(path), i, i))
    c.write('};\n\nconst size_t sample_mail_count = %d;\n' % len(files))
