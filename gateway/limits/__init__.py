"""How much one request may ask for, judged in time linear in it and before the step that each limit protects.

text.py    characters, tokens, brackets   before the parser, which takes microseconds for each and recurses
shape.py   fields, aliases, fragments …   before validation, which compares fields with fields
cost.py    requests and rows              before execution, which causes them
"""
