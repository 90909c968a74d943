import pytest

from callm.errors import ConfigError
from callm.prompt.checks import check_tags
from callm.prompt.template import Template


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a\n{% include 'b' %}", r"it, line 2: {% include %} is not available"),
        ("{%- import 'b' as c %}", "{% import %} is not available"),
        ("{% extends 'b' %}", "{% extends %} is not available"),
        ("{% from 'b' import c %}", "{% from %} is not available"),
        ("{% if x == none %}", r"line 1: write `is none` or `is not none` in {% if x == none %}"),
        ("{{ None != x }}", "write `is none`"),
        ("{#\n\n#}{{ _.role('admin') }}", r"line 3: _\.role\(\) takes one of .*, not 'admin'"),
        ('{{ _.chat( role = "bot") }}', "not 'bot'"),
    ],
)
def test_a_tag_that_can_not_work_is_refused_with_its_line(source, message):
    with pytest.raises(ConfigError, match=message):
        check_tags(source, "it")


@pytest.mark.parametrize(
    "source",
    [
        "write {% raw %}{% include 'b' %} and {{ x == none }}{% endraw %}",
        "{# {% include 'b' %} #}",
        "{{ 'x == none' }}",
        "x == none, include, _.role('admin')",
        "{{ _.role('system') }}{{ _.role(role=\"user\") }}{{ _.role(speaker) }}",
        "{{ includes }}{% if none_left == 1 %}{% endif %}",
    ],
)
def test_text_that_only_looks_like_such_a_tag_passes(source):
    check_tags(source, "it")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ reviw }}", r"the prompt of f\(\) mentions 'reviw', which is no parameter: did you mean 'review'\?"),
        ("{{ review }}{{ zzz }}", "mentions 'zzz', which is no parameter: known are review, stars"),
        ("{{ review }}{{ ctx.output }}", r"mentions ctx.output: did you mean 'output_format'\?"),
        ("Classify the review.", r"mentions none of its parameters \(review, stars\).*write {{ review }} where it bel"),
        ("Write { review }", "mentions none of its parameters"),
    ],
)
def test_a_variable_that_is_no_parameter_is_refused(source, message):
    with pytest.raises(ConfigError, match=message):
        Template(source, ["review", "stars"], name="f")


def test_a_function_without_parameters_may_mention_none():
    assert Template("Say hi", []).variables == frozenset()
    with pytest.raises(ConfigError, match="the prompt mentions 'x', which is no parameter: there are none"):
        Template("{{ x }}", [])


def test_names_of_the_language_are_no_variables():
    source = """
    {% macro line(text, n=1) %}{{ n }}. {{ text }}{{ caller }}{% endmacro %}
    {% set total = namespace(n=0) %}
    {% for review in reviews %}{{ loop.index }}{{ line(review) }}{% endfor %}{{ range(3) | list }}{{ total.n }}
    {{ ctx.output_format }}{{ ctx.tags.a }}{{ ctx.client.name }}{{ _.role("user") }}
    """
    assert "reviews" in Template(source, ["reviews"]).variables


def test_a_parameter_may_be_called_ctx():
    assert Template("{{ ctx.anything }}", ["ctx"]).render({"ctx": {"anything": "x"}}).messages[0].text == "x"
