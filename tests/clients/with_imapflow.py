"""imapflow, from npm, in the build folder."""
import os
import subprocess
import threading
import time

from common import HERE, PASSWORD, deliver, have, message, rp

VERSION = '2.1.2'


def install():
    """The folder with node_modules, or None."""
    root = os.path.join(rp.BUILD, 'imapflow-' + VERSION)
    modules = os.path.join(root, 'node_modules')
    if not os.path.isdir(os.path.join(modules, 'imapflow')):
        os.makedirs(root, exist_ok=True)
        done = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', 'imapflow@' + VERSION], cwd=root,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
        if done.returncode != 0:
            print(done.stdout.decode(errors='replace')[-1500:])
            return None
    return modules


def scenario(server, user, modules):
    deliver(server, user, *[message(f'w{i}') for i in range(5)])
    node = subprocess.Popen(['node', os.path.join(HERE, 'imapflow.js'), str(server.port_tls), user, PASSWORD, server.cert],
                            env=dict(os.environ, NODE_PATH=modules), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    watchdog = threading.Timer(60, node.kill)
    watchdog.start()
    said, sent = [], 0.0
    for line in node.stdout:
        line = line.decode(errors='replace').strip()
        said.append(line)
        if line == 'idle':
            deliver(server, user, message('w-idle'))
            sent = time.time()
        elif line.startswith('seen '):
            assert float(line.split()[1]) - sent < 1.0, f'{line}, sent at {sent}'
    watchdog.cancel()
    assert node.wait() == 0 and said[-1] == 'ok logout' and sent > 0, '\n'.join(said)


def run(checks, server, users):
    if not have('node') or not have('npm'):
        return checks.skip('imapflow', 'node and npm are not installed')
    modules = install()
    if modules is None:
        return checks.skip('imapflow', 'npm cannot install it')
    for user in users:
        checks.run(f'imapflow does a day\'s work, and IDLE sees a delivery ({user})', scenario, server, user, modules)
