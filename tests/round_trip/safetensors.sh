#!/bin/sh
# safetensors through a reader of another program; see formats.sh. PYTHON has numpy and safetensors, and PyTorch where there is one.
#
#     tests/round_trip/safetensors.sh PYTHON [RUN]...
exec "$(dirname "$0")/formats.sh" safetensors "$@"
