"""The CDK app; `make synth` and the CDK's own command line start it."""

import sys

from infra.cdk import synth

if __name__ == "__main__":
    sys.exit(synth.main(sys.argv[1:]))
