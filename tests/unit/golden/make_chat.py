"""Writes chat.json: what Jinja itself makes of the chat templates in chat/ and of short templates that
try one rule each, configured as transformers configures it (chat_template_utils.py).

    pip install jinja2==3.1.6 && python make_chat.py > chat.json
"""

import json
from pathlib import Path

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

CONVERSATIONS = {
    "question": [("user", "Who wrote Faust?")],
    "with_system": [("system", "Answer in one word."), ("user", " Who wrote Faust? \n")],
    "several_turns": [
        ("system", "You are\na poet."),
        ("user", "Hi"),
        ("assistant", "\n Hello there! "),
        ("user", "A line, please"),
    ],
    "answered": [("user", "2+2?"), ("assistant", "4")],
    "thinking": [
        ("user", "One?"),
        ("assistant", "<think>\nhm\n</think>\n\nTwo."),
        ("user", "Three?"),
        ("assistant", "<think>\nwell\n</think>\n\nFour."),
    ],
    "any_text": [("user", "\u00a0\u3000 \"quotes\" \\n {{ not }} {% a %} caf\u00e9 \u65e5\u672c \U0001f600\t\u2028")],
    "out_of_turn": [("user", "a"), ("user", "b")],
    "unknown_role": [("user", "a"), ("narrator", "b")],
    "empty_content": [("user", "")],
}

# Each rule of the language that templates lean on, and those that surprise.
SNIPPETS = [
    # white space
    "a\n{% if true %}\nb\n{% endif %}\nc",
    "a\n  {% if true %}\n  b\n  {% endif %}  \nc",
    "a {%- if true -%} b {%- endif -%} c",
    "a\n {{- 'b' -}} \n c",
    "a\n  {%+ if true +%}\nb{% endif %}",
    "x {% if true %} y {% endif %}\n\n z",
    "a\n   {# gone #}\nb {#- gone too -#} \n c{#+ x +#}\nd",
    "  {# first #}  {# second #}\nx",
    "{{ 'a' }}  {% if true %}b{% endif %}",
    "{{ 'a' -}}\n  {% if true %}b{% endif %}",
    "{% if true -%}\n  {% if true %} b{% endif %}{% endif %}",
    "line\r\nnext\rlast\r\n",
    "ends with two\n\n",
    "\u00a0{%- if true -%}\u3000x\u2003{%- endif %}",
    "{ { }} %} #} {'",
    "{{-1}}{{ -1 }}{{+1}}",
    "a\v{%- if true %}b{% endif %}\n\t {% if true %}c{% endif %}",
    # literals
    r"""{{ 'a\nb\t\'\"\\\/\x41\u00e9\U0001F600\101\q' }}""",
    '{{ "it\'s" }}{{ \'say "x"\' }}',
    "{{ 'a' 'b' \"c\" }}",
    "{{ 'two\nlines' }}{{ 'joined \\\nline' }}",
    "{{ true }}{{ True }}{{ false }}{{ none }}{{ None }}{{ 12 }}{{ 0 }}",
    "{{ '{{ a }} {% b %}' }}",
    # operators
    "{{ 1 + 2 - 4 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ - 3 + 5 }}",
    "{{ 'a' + 'b' ~ 1 ~ none ~ true ~ nothing }}",
    "{{ 'n: ' ~ 1 + 2 }}",
    "{{ 1 ~ 2 % 3 }}",
    "{{ ([1] + [2, 3])|length }} {{ ((1, 2) + (3,))|length }} {{ true + true }}",
    "{{ 1 < 2 }}{{ 2 <= 1 }}{{ 'a' < 'b' }}{{ 1 == 1 == 1 }}{{ 1 < 3 > 2 }}{{ 3 > 2 > 2 }}{{ 1 >= 1 }}",
    "{{ 1 == true }}{{ 0 == false }}{{ none == false }}{{ '1' == 1 }}{{ [1] == [1] }}{{ (1,) == [1] }}{{ x == y }}",
    "{{ 1 != 2 }}{{ 'a' != 'a' }}{{ messages[0] == messages[0] }}{{ messages[0] == messages[-1] }}",
    "{{ not 1 == 2 }}{{ not not true }}{{ not x is defined }}",
    "{{ 'b' in 'abc' }}{{ 'x' not in 'abc' }}{{ 2 in [1, 2] }}{{ 'role' in messages[0] }}{{ 'a' in x }}{{ '' in 'a' }}",
    "{{ 'a' or 'b' }}{{ '' or 'b' }}{{ 'a' and 'b' }}{{ 0 and 1 }}{{ none or false or 'c' }}",
    "{{ 'a' if true }}{{ 'a' if false }}{{ 'a' if false else 'b' if false else 'c' }}{{ 1 if 0 else 2 }}",
    "{{ 'a' if x is defined else 'b' }}{{ ('a' if 1) ~ 'c' }}",
    # items and slices
    "{{ messages[0].role }}{{ messages[0]['content'] }}{{ messages[-1]['role'] }}{{ messages[9] }}",
    "{{ 'h\u00e9llo'[1] }}{{ 'h\u00e9llo'[-1] }}{{ 'h\u00e9llo'[1:3] }}{{ 'h\u00e9llo'[::-1] }}{{ 'abc'[9] }}{{ 'abc'[5:] }}",
    "{{ 'abcdef'[::2] }}{{ 'abcdef'[4:1:-1] }}{{ 'abcdef'[-3:] }}{{ 'abcdef'[:-2] }}{{ 'abcdef'[-99:99] }}{{ 'abcdef'[:] }}{{ 'abcdef'[5:-99:-2] }}",
    "{{ 'abc'[none:2] }}{{ 'abc'[true] }}{{ 'abcdef'[::99] }}{{ 'abcdef'[::-99] }}{{ 'abc'[1::] }}",
    "{% for m in messages[1:] %}{{ m.role }},{% endfor %}{{ messages[1:]|length }}{{ messages[::-1][0].role }}",
    "{{ messages[0].missing }}{{ messages[0]['missing'] }}{{ messages['x'] }}{{ messages.x }}{{ none.x }}{{ (1).y }}",
    "{{ messages[0].missing is defined }}{{ messages[0].missing.more is defined if false else 'ok' }}",
    # statements
    "{% set a = 1 %}{% for m in messages %}{% set a = a + 1 %}{{ a }}{% endfor %}{{ a }}",
    "{% set ns = namespace(a=1, b='x') %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns['a'] }}",
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for m in messages %}{{ loop.previtem.role if not loop.first }}>{{ loop.nextitem.role if loop.nextitem is defined }};{% endfor %}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content }}{% else %}none{% endfor %}",
    "{% for m in messages if m.role == 'robot' %}x{% else %}{{ 'nobody' }}{% endfor %}{{ m is defined }}",
    "{% for a in [1, 2] %}{% for b in 'xy' %}{{ a }}{{ b }}{{ loop.index }}{{ loop.depth }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for a, b in [[1, 2], (3, 4)] %}{{ a }}-{{ b }} {% endfor %}{% for k in messages[0] %}{{ k }} {% endfor %}",
    "{% for x in nothing %}x{% else %}empty{% endfor %}{% for x in [] %}x{% endfor %}",
    "{% if x %}1{% elif nothing %}2{% elif 'y' %}3{% else %}4{% endif %}{% if [] or '' or 0 or none %}5{% endif %}",
    "{% if true %}{% set a = 'kept' %}{% endif %}{{ a }}",
    "{% set loop_messages = messages %}{% set messages = [] %}{{ loop_messages|length }}{{ messages|length }}",
    "{% set x = 1 if false %}{{ x is defined }}",
    "{% for i in [1, 2, 3] %}{% if loop.last %}{% set tail = 'end' %}{% endif %}{{ tail }}{{ i }}{% endfor %}{{ tail }}",
    # filters
    "[{{ '  a b\u00a0\u3000\n'|trim }}][{{ 'xxaxx'|trim('x') }}][{{ 'a' + ' b '|trim + 'c' }}][{{ nothing|trim }}][{{ 5|trim }}]",
    "{{ messages|length }}{{ 'h\u00e9\U0001f600'|length }}{{ nothing|length }}{{ messages[0]|length }}{{ messages|count }}",
    "{{ 'Abc'|upper }}{{ 'ABc'|lower }}{{ none|upper }}{{ 'x'|upper|lower }}",
    "{{ 'caf\u00e9 \"q\" \\\\ / \n\t\x7f\x01 <&>'|tojson }}{{ messages[0]|tojson }}{{ [1, true, none, 'a', []]|tojson }}{{ (1, 2)|tojson }}",
    "{{ x|default('d') }}{{ ''|default('d') }}{{ ''|default('d', true) }}{{ 'v'|d('d') }}{{ none|default('n') }}",
    "{{ [3, 4]|first }}{{ [3, 4]|last }}{{ 'abc'|list|last }}{{ []|first }}{{ 7|string + 'a' }}{{ 'abc'|first }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}{{ messages|rejectattr('role', 'equalto', 'user')|list|length }}{{ (messages|selectattr('content')|list)[0].role }}",
    "{{ messages|selectattr('x', 'defined')|list|length }}{{ messages|rejectattr('role', 'eq', 'system')|list|length }}",
    "{{ -1|string }}{{ 'a'|upper ~ 'b' }}{{ messages|length - 1 }}{{ messages|length > 1 and true }}",
    # tests
    "{{ x is defined }}{{ x is not defined }}{{ messages is defined }}{{ x is undefined }}{{ none is none }}{{ x is none }}{{ 'a' is string }}{{ 1 is string }}",
    "{{ messages is iterable }}{{ 'a' is iterable }}{{ 1 is iterable }}{{ x is iterable }}{{ messages[0] is mapping }}{{ messages is mapping }}{{ messages is sequence }}{{ 1 is sequence }}{{ none is iterable }}",
    "{{ true is true }}{{ 1 is true }}{{ false is false }}{{ 0 is false }}{{ true is boolean }}{{ 1 is number }}{{ 'a' is eq 'a' }}{{ 1 is equalto(2) }}{{ 1 is eq 1 and true }}",
    "{{ (1 + 1) is number }}",
    "{{ tools is none }}{{ documents is none }}{{ bos_token is string }}{{ not tools is defined }}",
    # methods
    "[{{ '  a '.strip() }}][{{ '\\n a '.lstrip() }}][{{ ' a \\n'.rstrip() }}][{{ '--a-'.strip('-') }}][{{ 'a'.strip('') }}][{{ ' a'.strip(none) }}][{{ '\u00e9a\u00e9'.strip('\u00e9') }}]",
    "{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('bc') }}{{ 'abc'.startswith('') }}{{ 'a'.endswith('ba') }}",
    "{{ 'a,b,,c'.split(',')|tojson }}{{ ' a  b\\n\u3000c '.split()|tojson }}{{ 'abc'.split('abc')|tojson }}{{ ''.split(',')|tojson }}{{ ''.split()|tojson }}{{ 'a</t>b</t>c'.split('</t>')[-1] }}",
    "{{ 'aB'.upper() }}{{ 'aB'.lower() }}{{ messages[0].get('role') }}{{ messages[0].get('x') }}{{ messages[0].get('x', 'd') }}{{ messages[0]['role'].upper() }}",
    "{{ ('a' + 'b').upper() }}{{ 'a b'.split(' ')[1].upper() }}{{ messages[0].content.strip()|length }}",
    # Jinja's own failures
    "{{ nothing.more }}",
    "{{ 'a' + 1 }}",
    "{{ nothing + 'a' }}",
    "{{ 1 % 0 }}",
    "{{ nothing() }}",
    "{{ 1 < 'a' }}",
    "{{ 1 in 2 }}",
    "{{ 1 in 'a' }}",
    "{% for x in 1 %}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for a, b in [[1]] %}{% endfor %}",
    "{% set x = 1 %}{% set x.y = 2 %}",
    "{{ 1|length }}",
    "{{ nothing|tojson }}",
    "{{ 'a'|nofilter }}",
    "{{ 'a' is notest }}",
    "{{ 'a'.split('') }}",
    "{{ 'abc'[::0] }}",
    "{{ raise_exception('on purpose') }}",
    "{% if true %}",
    "{% endif %}",
    "{% else %}",
    "{% if true %}{% endfor %}",
    "{{ 'a }}",
    "{{ a",
    "{% if",
    "{# open",
    "{{ }}",
    "{{ 1 + }}",
    "{{ (1 }}",
    "{{ 1 2 }}",
    "{{ a..b }}",
    "{{ $ }}",
    "{% for loop in [1] %}{% endfor %}",
    "{% nothing %}",
    "{% set 1 = 2 %}",
    "{{ a %}",
    "{% if a }}x{% endif %}",
    "{{ '\\u12' }}",
]


class Refused(Exception):
    pass


def raise_exception(message):
    raise Refused(message)


def tojson(value):
    return json.dumps(value, ensure_ascii=False)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def rendered(source, conversation, add_generation_prompt):
    messages = [{"role": role, "content": content} for role, content in conversation]
    try:
        template = environment().from_string(source)
        text = template.render(messages=messages, tools=None, documents=None,
                               add_generation_prompt=add_generation_prompt, **TOKENS)
        return {"text": text}
    except Refused as refused:
        return {"refused": str(refused)}
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        return {"failed": str(error)}


def main():
    folder = Path(__file__).parent / "chat"
    cases = []
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for name, conversation in CONVERSATIONS.items():
            for prompt in (False, True):
                case = {"template": path.name, "conversation": name, "add_generation_prompt": prompt}
                cases.append(case | rendered(source, conversation, prompt))
    snippets = [{"source": source} | rendered(source, CONVERSATIONS["several_turns"], True)
                for source in SNIPPETS]
    conversations = {name: [{"role": role, "content": content} for role, content in turns]
                     for name, turns in CONVERSATIONS.items()}
    out = {"tokens": TOKENS, "conversations": conversations, "cases": cases, "snippets": snippets}
    print(json.dumps(out, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
