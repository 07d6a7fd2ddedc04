"""Entry point of the CDK app, for `make synth` and the CDK's own command line."""

import sys

from infra.cdk import synth

if __name__ == "__main__":
    sys.exit(synth.main(sys.argv[1:]))
