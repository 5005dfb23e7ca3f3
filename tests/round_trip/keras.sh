#!/bin/sh
# keras through a reader of another program; see formats.sh. PYTHON has Keras 3 and a backend of it.
#
#     tests/round_trip/keras.sh PYTHON [RUN]...
exec "$(dirname "$0")/formats.sh" keras "$@"
