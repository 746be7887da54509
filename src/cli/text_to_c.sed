# SPDX-License-Identifier: Apache-2.0
# Each line becomes a string literal of C.
s/["\\]/\\&/g
s/.*/"&\\n"/
