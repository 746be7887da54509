# SPDX-License-Identifier: Apache-2.0
# Each line becomes a string literal of C and an element of an array.
s/["\\]/\\&/g
s/.*/"&\\n",/
