#!/usr/bin/env python3
"""An HTTP/2 server's exam, after RFC 9113 and RFC 7541, in the manner of h2spec in strict mode.

    h2_exam.py --address HOST:PORT [--tls] [--path /] [--only http2/6] [--list]

What is asked for must be answered with a body of 5 bytes at least. Prints a line for each failure
and a count; the exit status is 1 when a case failed.
"""

import argparse
import concurrent.futures
import sys

import h2_cases_frames
import h2_cases_generic
import h2_cases_messages
from h2_client import CASES, Client, Failed, Skipped
from h2wire import Closed, parse_address

MODULES = (h2_cases_generic, h2_cases_frames, h2_cases_messages)


def run(settings, function):
    """What went wrong, if anything; a text that begins with “skipped” is no failure."""
    try:
        with Client(settings) as client:
            function(client)
    except Failed as failure:
        return str(failure)
    except Skipped as reason:
        return f"skipped: {reason}"
    except Closed:
        return "the connection was closed before the case began"
    except (OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--address", type=parse_address, required=True)
    parser.add_argument("--tls", action="store_true", help="TLS with ALPN instead of clear text")
    parser.add_argument("--path", default="/")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds that a case waits")
    parser.add_argument("--jobs", type=int, default=8, help="cases at the same time")
    parser.add_argument("--only", default="", help="sections that begin so")
    parser.add_argument("--list", action="store_true", help="prints each case and its outcome")
    return parser.parse_args()


def main():
    settings = options()
    cases = [case for case in CASES if case[0].startswith(settings.only)]
    with concurrent.futures.ThreadPoolExecutor(settings.jobs) as pool:
        outcomes = list(pool.map(lambda case: run(settings, case[3]), cases))
    failures = skipped = 0
    for (section, sentence, strict, _), outcome in zip(cases, outcomes):
        is_skipped = (outcome or "").startswith("skipped")
        skipped += is_skipped
        failures += bool(outcome) and not is_skipped
        if outcome or settings.list:
            mark = " (strict)" if strict else ""
            print(f"{section}{mark}: {sentence}: {outcome or 'passed'}")
    print(f"h2_exam: {len(cases)} cases, {failures} failed, {skipped} skipped")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
