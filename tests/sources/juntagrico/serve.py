"""Seeds the database and serves it on 127.0.0.1 at the port given."""

import os
import stat
import sys
import threading

import django
import waitress
from django.core.wsgi import get_wsgi_application


def end_with_parent():
    """When standard input is a pipe, its end is the end of the parent, whatever ended it."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()


def main():
    end_with_parent()
    django.setup()
    import seed  # its models exist only after the set-up

    seed.seed()
    waitress.serve(get_wsgi_application(), listen=f"127.0.0.1:{int(sys.argv[1])}")


main()
