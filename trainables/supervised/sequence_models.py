"""Networks for series and texts, by name and hyperparameters, from torch's own layers.

Shapes: a series is float [n, T] or [n, T, features], a text is token ids, int64 [n, T]. Token 0 pads a text.
"""

from torch import Tensor, nn

from tautune.trainables.supervised.hyperparameters import check_network_values

PADDING = 0
"""The token that fills a short text up; it is neither attended to nor counted."""


def lstm(
    shape: tuple[int, ...], outputs: int, *, layers: int = 1, units: int = 32, dropout: float = 0.0, highway: int = 0
) -> nn.Module:
    """Builds an LSTM of `layers` layers of `units`, for a window (T,) or (T, features) and all steps of a forecast.

    Beside it lies a linear autoregression on the last `highway` steps of the window, unless that is 0.
    """
    check_network_values(layers=layers, units=units, dropout=dropout, highway=highway)
    if not layers or not isinstance(units, int):
        raise ValueError(f"an lstm has at least one layer, and units is one number; not {layers} layers, units {units}")
    if len(shape) not in (1, 2):
        raise ValueError(f"an lstm takes windows of shape (steps,) or (steps, features), not {shape}")
    if highway > shape[0]:
        raise ValueError(f"highway must be at most the window's {shape[0]} steps, not {highway}")
    return Lstm(shape, outputs, units=units, layers=layers, dropout=dropout, highway=highway)


def transformer(
    shape: tuple[int, ...],
    outputs: int,
    *,
    vocabulary: int,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    dropout: float = 0.0,
) -> nn.Module:
    """Builds a transformer that classifies texts of up to shape[0] tokens out of `vocabulary`."""
    _check_transformer(shape, vocabulary=vocabulary, layers=layers, width=width, heads=heads, dropout=dropout)
    size = (width, heads, layers, dropout)
    return Transformer(shape[0], outputs, *size, vocabulary=vocabulary, causal=False)


def causal_transformer(
    shape: tuple[int, ...], outputs: int, *, layers: int = 2, width: int = 64, heads: int = 4, dropout: float = 0.0
) -> nn.Module:
    """Builds a transformer that forecasts at each of up to shape[0] tokens the next one, out of `outputs`."""
    _check_transformer(shape, vocabulary=outputs, layers=layers, width=width, heads=heads, dropout=dropout)
    size = (width, heads, layers, dropout)
    return Transformer(shape[0], outputs, *size, vocabulary=outputs, causal=True)


def _check_transformer(shape: tuple[int, ...], *, width: int, heads: int, **others: float) -> None:
    check_network_values(width=width, heads=heads, **others)
    if len(shape) != 1:
        raise ValueError(f"a transformer takes token ids of shape (tokens,), not {shape}")
    if width % heads:
        raise ValueError(f"width must be a multiple of the {heads} heads, not {width}")


class Lstm(nn.Module):
    """An LSTM whose last state forecasts all outputs at once, beside a linear autoregression on the last steps.

    The autoregression is the "highway" of LSTNet (Lai et al., 2018, §3.6): the LSTM has to learn only what is not
    linear. Without it, the forecast is the LSTM's alone.
    """

    def __init__(
        self, shape: tuple[int, ...], outputs: int, *, units: int, layers: int, dropout: float, highway: int
    ) -> None:
        super().__init__()
        features = (*shape, 1)[1]
        between = dropout if layers > 1 else 0.0  # one layer has no layer to drop out before, of which torch warns
        self.lstm = nn.LSTM(features, units, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(units, outputs)
        self.highway = nn.Linear(highway * features, outputs, bias=False) if highway else None

    def forward(self, series: Tensor) -> Tensor:
        """Returns forecasts [n, outputs] for series [n, T] or [n, T, features]."""
        if series.ndim == 2:
            series = series.unsqueeze(2)
        states, _ = self.lstm(series)
        forecast: Tensor = self.head(self.dropout(states[:, -1]))
        if self.highway is not None:
            recent = self.highway.in_features // series.shape[2]
            forecast = forecast + self.highway(series[:, -recent:].flatten(1))
        return forecast


class Transformer(nn.Module):
    """Torch's transformer encoder with learned positions, normalization before each block, and GELU.

    If it is causal, each position sees itself and those before it, and has outputs of its own: [n, T, outputs]. If it
    is not, the mean over the positions without padding is classified: [n, outputs].
    """

    def __init__(
        self,
        context: int,
        outputs: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
        *,
        vocabulary: int,
        causal: bool,
    ) -> None:
        super().__init__()
        self.causal = causal
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)  # as in GPT-2; torch's own 1 drowns what the blocks add
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(  # nn.TransformerEncoder would begin with the same weights in each
            nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns logits for token ids [n, T], T ≤ context: [n, T, outputs] if it is causal, else [n, outputs]."""
        length = tokens.shape[1]
        if length > self.positions.num_embeddings:
            raise ValueError(f"there are {length} tokens, more than the context of {self.positions.num_embeddings}")
        states = self.dropout(self.tokens(tokens) + self.positions.weight[:length])
        if self.causal:
            mask = nn.Transformer.generate_square_subsequent_mask(length, tokens.device, states.dtype)
            for block in self.blocks:
                states = block(states, src_mask=mask, is_causal=True)
            logits: Tensor = self.head(self.norm(states))
            return logits
        padding = tokens == PADDING
        padding[:, 0] = False  # attention to nothing at all is not a number
        for block in self.blocks:
            states = block(states, src_key_padding_mask=padding)
        kept = ~padding.unsqueeze(2)
        pooled: Tensor = self.head((self.norm(states) * kept).sum(dim=1) / kept.sum(dim=1))
        return pooled
