"""Trains small tokenizers, saves them in the file forms of the LLaMA family's checkpoints, and writes what transformers
makes of many texts with each: ids and decoded texts. One folder a tokenizer, one JSON file of expectations beside it.
Run: make_tokenizers.py FOLDER TEXTS..., the latter are text files to train on and to compare."""
import json
import random
import sys
import unicodedata
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

RANDOM_TEXTS = 10_000
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
NEMO = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
        r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
LANGUAGES = """
What's that? I'll say it's HE'S, they'Re we'vE I'D can'T you'LL I'm; don’t ſ 'ſ
Der Fluß heißt Überfluß, naïve Café-Gäste zahlen 12,50 € für Crème brûlée.
e\u0301 a\u0308\u0323 o\u0302\u0301 \u1e69 s\u0323\u0307 s\u0307\u0323 \u212b \u2126 \ufb01 \u0958 \u0344 \u0340 \u0374
Zażółć gęślą jaźń; Příliš žluťoučký kůň; Ελληνικά: πάντα ῥεῖ; Съешь ещё этих мягких булок.
हिन्दी भाषा में लिखा है। தமிழ் மொழி. বাংলা ভাষা ক\u09cb ক\u09c7\u09be. ภาษาไทยไม่มีช่องว่าง ລາວ ខ្មែរ မြန်မာ
שָׁלוֹם עֲלֵיכֶם, العربيّة نصٌّ طويل، فارسی می‌نویسم\u200f! \u202bmixed שלום text\u202c
日本語の文です。中文没有空格，标点“引号”。 한국어 문장입니다. \u1112\u1161\u11ab\u1100\u1173\u11af ハﾝｶｸ ﾊﾞ か\u3099
👍🏽 👨\u200d👩\u200d👧 🇩🇪🇫🇷 ❤\ufe0f 1\ufe0f\u20e3 ☃ 🏳\ufe0f\u200d🌈 🙂🙃🤷🏼\u200d♀\ufe0f
1 12 123 1234 12345 123456 1234567 12345678 123456789 3.14 1,000,000 ½ ² ٣٤٥ १२३ 𝟘𝟙 Ⅷ x2y3
tab\there  two   three    four     \u00a0nbsp\u00a0\u00a0 \u2003em\u3000wide\u180e zero\u200bwidth \ufeff bom \x85 \x1f \x7f
def f(x):\n        return x + 1  # comment\n\n\n\nclass A:\r\n\tpass\r\n  \n \n x
snake_case CamelCase kebab-case HTTPServer a/b//c\\d http://x.org/?q=1&r=2#s e-mail@x.org
C++ #1 50% ... !!! ?!?! --- ~~~
\u2581 \u2581\u2581x x\u2581y <0x41> <0x0A> <unk> <s> </s> <|x|> Ġ Ċ \ufffd \U0010ffff \U00010348 \U0001f9ff
"""
EDGES = ["", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " a", "  a", "   a", "a ", "a  ", "a   ", " \n", "\n ", " \n a",
         "a\n\n\nb", "\u00a0", "\u00a0a", "a\u00a0 b", "\u3000\u3000", "\u2581", "\u2581a", " \u2581a", "\u2581\u2581", "\0",
         "a\0b", "'", "'s", " 's", "'S's'", "12 345", "1" * 9, "a" * 70, " " * 70 + "x", "\n" * 20, "e\u0301", "\u0301",
         "\u0301\u0323a", "\u1100\u1161\u11a8", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0915\u093f",
         "xyzzyx ignoremerges  ignoremerges xignoremerges", "the words word, wordword <l> word <r>  the cat"]


def corpus(files: list[str]) -> list[str]:
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    return lines + LANGUAGES.splitlines() * 3


def random_text(draw: random.Random, texts: list[str], specials: list[str]) -> str:
    """Of few characters, of all scripts, of any characters, of pieces of real texts, or around special tokens."""
    kind = draw.randrange(5)
    size = draw.randint(1, 40)
    if kind == 0:
        return "".join(draw.choice("ab 's1\n\t'T,. ") for _ in range(size))
    if kind == 1:
        return "".join(draw.choice(LANGUAGES) for _ in range(size))
    if kind == 2:
        return "".join(random_character(draw) for _ in range(size))
    if kind == 3:
        cuts = (draw.choice(texts) for _ in range(draw.randint(1, 3)))
        return draw.choice(["", " ", "  ", "\n"]).join(cut[draw.randrange(len(cut) + 1):][:size] for cut in cuts)
    parts = specials + ["<", "|>", " ", "  ", "\n", "a", "the cat", "_"]
    return "".join(draw.choice(parts) for _ in range(draw.randint(1, 8)))


def random_character(draw: random.Random) -> str:
    """A character of Unicode 3.2, which the tables of all libraries know."""
    while True:
        character = chr(draw.randrange(draw.choice([0x80, 0x500, 0x3100, 0x10000, 0x20000])))
        if unicodedata.ucd_3_2_0.category(character) not in ("Cs", "Cn"):
            return character


# ---- byte-level


def byte_level(texts: list[str], parts: list, size: int = 1500) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    bytes_of_words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not parts)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*parts, bytes_of_words])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def special(*names: str) -> list[AddedToken]:
    return [AddedToken(name, normalized=False, special=True) for name in names]


def listed(saved: dict) -> dict:
    """The added tokens as tokenizer_config.json lists them."""
    return {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in saved["added_tokens"]}


def split(pattern: str) -> pre_tokenizers.Split:
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)


def llama3(texts: list[str]) -> tuple[dict, dict, dict]:
    trained = json.loads(byte_level(texts, [split(LLAMA3)]).to_str())
    for word in ("Ġignoremerges", "xyzzyx"):  # words that no merge makes, as LLaMA 3 has them
        trained["model"]["vocab"][word] = len(trained["model"]["vocab"])
    trained["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(trained))
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens(special(*names))
    begin = tokenizer.token_to_id(names[0])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=True),
        processors.TemplateProcessing(single=f"{names[0]} $A", pair=f"{names[0]} $A {names[0]}:1 $B:1",
                                      special_tokens=[(names[0], begin)])])
    saved = json.loads(tokenizer.to_str())
    saved["model"]["merges"] = [" ".join(pair) for pair in saved["model"]["merges"]]
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token=names[0], eos_token=names[1],
                  clean_up_tokenization_spaces=True, added_tokens_decoder=listed(saved))
    return saved, config, dict(model_type="llama")


def qwen2(texts: list[str]) -> tuple[dict, dict, dict]:
    tokenizer = byte_level([unicodedata.normalize("NFC", text) for text in texts], [split(QWEN2)])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in ("<tool_call>", "</tool_call>")])
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    saved = json.loads(tokenizer.to_str())
    saved["model"].update(continuing_subword_prefix="", end_of_word_suffix="")
    config = dict(tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                  unk_token=None, add_bos_token=False, add_prefix_space=False, errors="replace",
                  split_special_tokens=False, additional_special_tokens=["<|im_start|>", "<|im_end|>"],
                  added_tokens_decoder=listed(saved))
    return saved, config, dict(model_type="qwen2")


def nemo(texts: list[str]) -> tuple[dict, dict, dict]:
    tokenizer = byte_level(texts, [split(NEMO)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "[INST]"])
    begin = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[begin])
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    return json.loads(tokenizer.to_str()), config, dict(model_type="mistral", transformers_version="5.0.0")


def digits(texts: list[str]) -> tuple[dict, dict, dict]:
    """GPT-2's own pattern after single digits, as SmolLM has it; tokens with all the flags that there are."""
    tokenizer = byte_level(texts, [])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens(special("<|endoftext|>"))
    tokenizer.add_tokens([
        AddedToken("<l>", lstrip=True, normalized=False), AddedToken("<r>", rstrip=True, normalized=False),
        AddedToken("<lr>", lstrip=True, rstrip=True, special=True, normalized=False),
        AddedToken("word", single_word=True, normalized=True), AddedToken("the cat", normalized=True),
        AddedToken("the", single_word=True, normalized=False)])
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    return json.loads(tokenizer.to_str()), config, dict(model_type="llama")


# ---- metaspace


def metaspace(texts: list[str], size: int = 1500) -> Tokenizer:
    """As LLaMA 2's tokenizer.json: <unk>, <s>, </s>, 256 byte tokens, then pieces with blanks at their begin."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=names, limit_alphabet=150, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    saved = json.loads(tokenizer.to_str())
    saved["added_tokens"] = saved["added_tokens"][:3]
    saved["pre_tokenizer"] = None
    vocab = saved["model"]["vocab"]
    for piece in ("▁▁", "▁▁▁▁"):  # runs of blanks are pieces, too
        vocab[piece] = len(vocab)
        saved["model"]["merges"].append([piece[:len(piece) // 2]] * 2)
    tokenizer = Tokenizer.from_str(json.dumps(saved))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1",
                                                             special_tokens=[("<s>", 1)])
    return tokenizer


def llama2_config(**changes) -> dict:
    config = dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, legacy=False)
    for name, token in (("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")):
        config[name] = dict(__type="AddedToken", content=token, normalized=False, single_word=False, lstrip=False,
                            rstrip=False)
    return {**config, **changes}


def llama2(texts: list[str]) -> tuple[dict, dict, dict]:
    tokenizer = metaspace(texts)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return json.loads(tokenizer.to_str()), llama2_config(), dict(model_type="llama")


def llama2_legacy(texts: list[str]) -> tuple[dict, dict, dict]:
    saved, _, model = llama2(texts)
    return saved, llama2_config(legacy=True), model


def llama2_as_it_is(texts: list[str]) -> tuple[dict, dict, dict]:
    saved, _, model = llama2(texts)
    return saved, llama2_config(tokenizer_class="PreTrainedTokenizerFast"), model


def mistral(texts: list[str]) -> tuple[dict, dict, dict]:
    saved, _, _ = llama2(texts)
    return saved, llama2_config(), dict(model_type="mistral")


def metaspace_first(texts: list[str]) -> tuple[dict, dict, dict]:
    tokenizer = metaspace(texts)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>")
    return json.loads(tokenizer.to_str()), config, dict(model_type="llama")


def metaspace_split(texts: list[str]) -> tuple[dict, dict, dict]:
    """Metaspace as pre-tokenizer and decoder, without byte fallback: runs of unknown characters are one token."""
    tokenizer = metaspace(texts)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    saved = json.loads(tokenizer.to_str())
    saved["model"]["byte_fallback"] = False
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", unk_token="<unk>")
    return saved, config, dict(model_type="llama")


# ---- sentencepiece


def write_sentencepiece(folder: Path, texts: list[str], config: dict, **changes) -> None:
    """As LLaMA's own tokenizer.model; the vocabulary has 900 pieces."""
    folder.mkdir()
    settings = dict(model_type="bpe", vocab_size=900, byte_fallback=True, add_dummy_prefix=True,
                    normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                    allow_whitespace_only_pieces=True, character_coverage=0.995, num_threads=1, minloglevel=2)
    with open(folder / "tokenizer.model", "wb") as model:
        trainer = sentencepiece.SentencePieceTrainer
        trainer.train(sentence_iterator=iter(texts), model_writer=model, **settings, **changes)
    write_json(folder / "tokenizer_config.json", config)
    write_json(folder / "config.json", dict(model_type="llama"))


def write_sentencepieces(folder: Path, texts: list[str]) -> None:
    write_sentencepiece(folder / "sentencepiece", texts, llama2_config())
    write_sentencepiece(folder / "sentencepiece_legacy", texts, llama2_config(legacy=True, add_eos_token=True))
    added = folder / "sentencepiece_added"  # an older folder, with companions
    write_sentencepiece(added, texts, llama2_config(), user_defined_symbols=["<sep>", "[INST]"])
    write_json(added / "added_tokens.json", {"[PAD]": 900})
    write_json(added / "special_tokens_map.json", dict(bos_token="<s>", eos_token="</s>", pad_token="[PAD]"))


# ---- what is compared


def write_json(file: Path, value) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False))


def expectations(folder: Path, texts: list[str], draw: random.Random) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    size = len(tokenizer)
    specials = sorted(set(tokenizer.get_added_vocab()))
    compared = texts + LANGUAGES.splitlines() + [LANGUAGES] + EDGES
    compared += [random_text(draw, texts, specials) for _ in range(RANDOM_TEXTS)]
    rows = [[text, ids, decode(tokenizer, ids)] for text, ids in zip(compared, tokenizer(compared)["input_ids"])]
    drawn = [[draw.randrange(size) for _ in range(draw.randint(1, 12))] for _ in range(2000)]
    return dict(texts=rows, ids=[[ids, decode(tokenizer, ids)] for ids in drawn])


def decode(tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def main() -> None:
    folder = Path(sys.argv[1])
    texts = corpus(sys.argv[2:])
    for make in (llama3, qwen2, nemo, digits, llama2, llama2_legacy, llama2_as_it_is, mistral, metaspace_first,
                 metaspace_split):
        place = folder / make.__name__
        place.mkdir()
        for name, value in zip(("tokenizer", "tokenizer_config", "config"), make(texts)):
            write_json(place / f"{name}.json", value)
    write_sentencepieces(folder, texts)
    compared = [line for file in sys.argv[2:] for line in Path(file).read_text().splitlines()]
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        write_json(folder / f"{place.name}.json", expectations(place, compared, random.Random(place.name)))


if __name__ == "__main__":
    main()
