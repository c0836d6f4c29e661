"""Values of choices, drawn for tests of what becomes of them."""

from functools import singledispatch

from hypothesis import strategies as st

from DSADeblurLib import options
from DSADeblurLib.request import DeblurRequest, RequestError


def values(option: options.Option) -> st.SearchStrategy:
    """Everything that a choice may be."""
    return st.none() | _values(option) if option.optional else _values(option)


@singledispatch
def _values(option) -> st.SearchStrategy:
    raise NotImplementedError(f"no values for {type(option).__name__}")


@_values.register
def _(option: options.Text):
    return st.text(min_size=1).map(str.strip).filter(bool)


@_values.register
def _(option: options.OneOf):
    return st.sampled_from(option.choices)


@_values.register
def _(option: options.SomeOf):
    return st.lists(st.sampled_from(option.choices), unique=True).map(tuple)


@_values.register
def _(option: options.Flag):
    return st.booleans()


@_values.register
def _(option: options.Number):
    return st.floats(option.minimum, option.maximum, exclude_min=option.above, allow_infinity=False)


@_values.register
def _(option: options.WholeNumber):
    return st.integers(int(option.minimum), int(option.maximum))


@_values.register
def _(option: options.FrameRange):
    return st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)).map(lambda pair: tuple(sorted(pair)))


@_values.register
def _(option: options.FrameNumbers):
    return st.lists(st.integers(1, 10_000), min_size=1, unique=True).map(tuple)


@_values.register
def _(option: options.Shift):
    return st.tuples(*2 * [st.floats(-option.limit, option.limit)])


@_values.register
def _(option: options.WordOrWidths):
    return st.sampled_from(option.choices) | st.tuples(*2 * [st.floats(0, option.limit)])


@st.composite
def requests(draw, request: type[DeblurRequest] = DeblurRequest) -> DeblurRequest:
    """Any request whose choices do not contradict each other."""
    every = {name: values(option) for name, option in request.every_option().items()}
    chosen = {}
    for name, value in draw(st.fixed_dictionaries({}, optional=every)).items():
        try:
            request.of(**chosen, **{name: value})
        except RequestError:
            continue
        chosen[name] = value
    return request.of(**chosen)
