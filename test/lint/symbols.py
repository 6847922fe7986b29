"""What the library defines: nothing outside namespace nexus, and no constructors that run before main.

Third argument: the library. Objects with a dynamic initialiser show as _GLOBAL__sub_I symbols.
"""

import re
import shutil
import subprocess
import sys

from lintlib import Lint

OURS = re.compile(r'\bnexus(::|_)')


def main():
    lint = Lint()
    if shutil.which('nm') is None:
        lint.skip('nm is not installed')
    library = sys.argv[3]
    mangled = subprocess.run(['nm', '--defined-only', library], capture_output=True, text=True, check=True).stdout
    names = subprocess.run(['c++filt'], input=mangled, capture_output=True, text=True, check=True).stdout
    member = library
    for raw, nice in zip(mangled.split('\n'), names.split('\n')):
        if raw.endswith(':'):
            member = raw[:-1]
        match = re.match(r'[0-9a-f]+ (\w) (.*)', raw)
        if not match:
            continue
        kind, name = match.groups()
        readable = nice.split(' ', 2)[2]
        if name.startswith('_GLOBAL__sub_I'):
            lint.find(member, 0, f'a constructor runs before main: {readable}')
        # Weak symbols are templates and inline functions of others.
        elif kind in 'TDBR' and not OURS.search(readable):
            lint.find(member, 0, f'defines {readable}, which is outside namespace nexus')
    lint.done('the library adds nothing to the global namespace and runs nothing before main')


main()
