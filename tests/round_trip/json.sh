#!/bin/sh
# json through a reader of another program; see formats.sh. PYTHON has numpy.
#
#     tests/round_trip/json.sh PYTHON [RUN]...
exec "$(dirname "$0")/formats.sh" json "$@"
