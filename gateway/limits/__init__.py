"""Limits on what one request may ask for. Each is checked in linear time, before the step that it protects.

text.py             characters, tokens, brackets   before the recursive parser, which takes microseconds for each token
shape.py            fields, aliases, fragments …   before validation, which compares fields with fields
execution/cost.py   requests and rows              before execution, which causes them
"""
