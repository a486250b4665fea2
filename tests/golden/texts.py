"""The texts of the golden set, all written for kith.

Plain text stands as it is; what an editor hides or alters (control and format
characters, marks in odd order, unassigned code points) is written with escapes.
U+0000 is left out because JSON readers may refuse it.
"""

EVERYDAY = [
    # The first eight also get [CLS], max and pooler vectors: short, long and odd ones.
    "The kettle is boiling, would you like some tea?",
    "How do I change the address on my library card?",
    "Our neighbour's dog barked at the postman again this morning, so he left the "
    "parcel behind the green bins and rang the bell twice before he drove away.",
    "",
    "Zoë paid 12.50 € for a crème brûlée at the café near the Ångström institute.",
    "東京の天気は晴れです。",
    "Nobody came.",
    "Please remember to water the tomatoes, feed the cat, lock the back door, put the "
    "rubbish out on Thursday evening, and leave the spare key with Mrs Okafor on the "
    "second floor, because the plumber will come at eight on Friday to look at the "
    "boiler, which has been making that knocking noise since the first frost of the "
    "winter.",
    "Hello",
    "Yes.",
    "Why?",
    "Good morning!",
    "She sells her old bicycle.",
    "He bought a second-hand bike from her.",
    "The cat sleeps on the warm radiator.",
    "What time does the pharmacy on Mill Lane open on Saturdays?",
    "My phone will not charge any more, even with a new cable.",
    "Can I grow lemons indoors if I live in the north?",
    "I have never been to the sea.",
    "I have always lived by the sea.",
    "The teacher praised the pupil.",
    "The pupil praised the teacher.",
    "We walked along the river until the rain began and then ran back to the car.",
    "Mix flour, salt and yeast, add lukewarm water, knead for ten minutes, and let "
    "the dough rise under a cloth until it has doubled in size.",
    "If your train is more than sixty minutes late, you may ask for a quarter of the "
    "fare back.",
    "The committee will meet on the first Tuesday of every month, except in August, "
    "to look through new applications and to decide which of them are passed on to "
    "the county.",
    "Turn left at the lights, go past the school, and the clinic is the white "
    "building on your right just before the roundabout.",
    "Grandmother kept every letter that her brother had sent from the ships on which "
    "he had worked, tied with blue ribbon, in a biscuit tin under the stairs, and she "
    "would read one aloud to us, never more than one, on winter evenings when the "
    "wind rattled at the shutters of the old house above the harbour and sleep was "
    "slow to come.",
    "The quarterly report shows that sales of umbrellas rose while sales of sun cream "
    "fell.",
    "Is it safe to take ibuprofen together with a cold remedy?",
    "Do I need a visa to change planes there?",
    "He said \"never again\", and he meant it.",
    "It's the children's turn; they've waited long enough, haven't they?",
    "SALE ENDS TONIGHT - EVERYTHING MUST GO",
    "mIxEd CaSe iS hArD tO rEaD",
    "Water boils at 100 degrees Celsius at sea level.",
    "The recipe serves four people (or two very hungry ones).",
    "An owl can turn its head by about two hundred and seventy degrees.",
    "Unbelievably counterproductive overgeneralisations notwithstanding, "
    "interdisciplinary collaborations flourished.",
]

PARAGRAPHS = [
    "The lighthouse was built of grey stone that had to be brought by boat, a block "
    "at a time, when the sea allowed it. It took eleven summers. The first keeper was "
    "a widow called Marta, who moved in with three goats, a barometer and a shelf of "
    "almanacs, and who wrote down the weather four times a day for thirty-one years. "
    "Her books are still there. People who study the climate come and photograph the "
    "pages, because there is no other record of the wind on that coast from before "
    "the telegraph. She never wrote a word about herself, apart from one line in the "
    "ninth winter: goat ill, did not sleep.",
    "To return an item, log in to your account and open the page of the order. Choose "
    "the item and the reason, then print the label. If you have no printer, show the "
    "code at the counter of any parcel shop and they will print it for you. Pack the "
    "item well; what is broken on the way back cannot be refunded. We pay the postage "
    "for faulty goods. For all others, four euros are taken off the refund. The money "
    "is sent within five working days after the parcel has reached us, by the same "
    "way in which you paid. Gift cards, opened software, earrings and fresh food "
    "cannot be returned at all, unless they were damaged or wrong when they arrived.",
    "Bees find their way by the sun. When the sun is behind clouds they use the "
    "pattern of polarised light in a patch of blue sky, and when there is no blue sky "
    "they remember where the sun ought to be at that hour, as seen against the hills "
    "and trees around the hive. A bee that has found a field of flowers comes home "
    "and dances on the comb. The angle of her dance to the vertical is the angle of "
    "the flight to the sun, and the length of each run tells the distance: about one "
    "second for a kilometre. Other bees follow her closely in the dark, touching her "
    "with their antennae, and fly out. They arrive. Not all of them, and not at the "
    "very flower, but near enough to smell it. What is strange is that the dance "
    "keeps time with the sun. A bee that dances for an hour, without going out to "
    "look, turns her angle slowly to the west as the hour goes by. Somewhere in a "
    "brain the size of a grass seed there is a clock, and beside it a map. The same "
    "bee can learn to come to a dish of sugar water at ten in the morning and at no "
    "other time, and if the dish is moved a little further away each day, she will "
    "soon be found waiting at the place to which it has not yet been moved.",
    "Minutes of the residents' meeting. Present: nineteen owners, two tenants, one "
    "dog. The chair opened the meeting at ten past seven and thanked Mr Brandt for "
    "the chairs. First, the roof. Two offers have been received, one for 48,200 and "
    "one for 61,750; the cheaper one does not include the scaffolding. Ms Adeyemi "
    "asked whether solar panels could be fitted at the same time and offered to find "
    "out what grants there are. It was agreed to wait for her report before choosing. "
    "Second, the bicycle room. There are now forty-four bicycles for thirty places, "
    "at least nine of which have not been moved since the spring. Notes will be tied "
    "to all of them; those whose note is still there after six weeks will be given to "
    "the repair workshop in Canal Street. Third, noise. Several people spoke. It was "
    "agreed that drilling is allowed from nine to one and from three to six, on "
    "working days only, and that this should be written on a sheet in the hall in "
    "large letters. Fourth, the pear tree. Nobody knows who planted it, but everybody "
    "eats from it; its roots have lifted the paving by the gate, and a visitor fell "
    "there in March. The gardener says that it can be saved if the path is moved by a "
    "metre. The owners of the ground floor flats would lose a strip of lawn, and said "
    "that they did not mind. Voted: seventeen for, none against, two abstained. "
    "Fifth, any other business. The lamp on the third floor landing is broken again. "
    "The chair closed the meeting at nine and invited all to the last of the pears, "
    "which Mr Brandt had bottled.",
    # Two paragraphs with a break, and a list: line ends inside a text.
    "Things to bring:\n\n- a torch with fresh batteries\n- two litres of water for "
    "each person\n- sturdy shoes\n\nWe meet at the gate at 6:45 a.m. and leave at "
    "seven sharp.\r\nDogs are welcome, but must be kept on a lead.",
    # Well beyond 256 tokens, and beyond the 512 positions that the model has.
    " ".join(
        f"On day {day} the ship sailed {7 * day % 90 + 40} miles and the cook served "
        f"{('beans', 'salted fish', 'rice', 'pea soup', 'biscuit')[day % 5]}."
        for day in range(1, 46)
    ),
]

# Token counts around the limit of 256, [CLS] and [SEP] included: one token a word.
LIMIT = [" ".join(["river"] * n) for n in (253, 254, 255, 256)]

SCRIPTS = [
    "Crème fraîche, jalapeño, smörgåsbord, façade, naïve, résumé, Übermensch.",
    "Die Straße ist naß; STRASSE und straße sind nicht gleich.",
    "İstanbul'da hava ılık, IĞDIR'da soğuk.",
    "Ångström measured it in \u212bngstr\u00f6m, not in A\u030angstro\u0308m.",
    "Łódź leży w Polsce. Příliš žluťoučký kůň. Árvíztűrő. Það er kalt úti.",
    "Hôm nay trời đẹp quá, chúng ta đi uống cà phê sữa đá nhé?",
    "ΟΔΥΣΣΕΥΣ και Οδυσσεύς: το τελικό σίγμα γράφεται ς.",
    "Καλημέρα κόσμε, τι κάνετε σήμερα;",
    "Сегодня в Москве идёт снег, а вчера светило солнце.",
    "Їжак їсть яблука під ґанком. Ђак чита књигу.",
    "今天天气很好,我们去公园散步吧。",
    "龍 and 龙 are the same animal; 猫cat猫 is mixed.",
    "カタカナとひらがな、それに漢字とABCを混ぜた文です。",
    "ｶﾞｷﾞｸﾞ half width and ＡＢＣ１２３ full width",
    "がぎぐ か\u3099き\u3099く\u3099 パ ハ\u309a",
    "오늘은 날씨가 정말 좋네요. 산책하러 갈까요?",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글 \u3131\u3134\u3137",
    "الطقس جميل اليوم، هل نذهب إلى الحديقة؟",
    "مُحَمَّدٌ يَقْرَأُ ٱلْكِتَابَ",
    "امروز هوا خوب است و می\u200cخواهیم به پارک برویم.",
    "היום מזג האוויר נפלא, נלך לים?",
    "בְּרֵאשִׁית בָּרָא",
    "आज मौसम बहुत अच्छा है, क्या हम पार्क चलें?",
    "क्षत्रिय ज्ञान श्री ड़ ढ़ \u0921\u093c",
    "আজ আবহাওয়া খুব সুন্দর। இன்று வானிலை நன்றாக இருக்கிறது.",
    "ಇಂದು ಹವಾಮಾನ ಚೆನ್ನಾಗಿದೆ, മലയാളം, తెలుగు",
    "วันนี้อากาศดีมาก ไปเดินเล่นที่สวนสาธารณะกันไหม",
    "ມື້ນີ້ອາກາດດີ ຂ້ອຍຈະໄປຕະຫຼາດ",
    "დღეს კარგი ამინდია, ᲗᲑᲘᲚᲘᲡᲘ. Այսօր եղանակը լավ է։",
    "ዛሬ አየሩ ጥሩ ነው፡፡ བཀྲ་ཤིས་བདེ་ལེགས།",
    "ⴰⵣⵓⵍ ᎣᏏᏲ ꮳꮃꮅ ᐊᐃ",
    "Ǆ ǅ ǆ ŉ ﬁ ﬂ ﬀ ſ ẞ K Ω µ ª º",
    "\u1e9b\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323",
]

SYMBOLS = [
    "I ❤️ this 😂😂😂 so much 👍",
    "family 👨‍👩‍👧‍👦 wave 👋🏽 flag 🇳🇴 technologist 👩🏿‍💻 rainbow 🏳️‍🌈",
    "no space👍🏻between words and 🎉emoji🎉",
    "keycap 1️⃣ #️⃣ and tag flag "
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "new emoji \U0001fae8\U0001fa77\U0001faf7 \U0001f6dc",
    "∑ x² ≤ ∞ ∴ √2 ≈ 1.414 ± 0.001 ≠ ½",
    "→ ⇒ ↯ ■ ● ☐ ☑ ★ ☃ ♫ ♞ ⚠ ©2024 ® ™",
    "$100 £80 €90 ¥1200 ₹7000 ₿0.5 ₺12",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝓜𝓪𝓽𝓱 𝟙𝟚𝟛 ⓐⓑⓒ ① ⅷ Ⅷ",
    "``quoted'' „deutsch“ «français» ‹x› “curly” ‘single’ 「日本」『二重』",
    "em—dash en–dash hyphen‐minus−sign…ellipsis‥ §5 ¶ † ‡ • · ‰",
    "¿Qué? ¡Olé! ‽ ⁇ ؟ ، ; · ။ ། ៕ ᠁ ꙳ \u2e5d \U00016a6e \U0001da8b",
    "!!!!!!!!???????.......",
    "--==<<{{[[((~~^^``||\\\\//))]]}}>>==--",
    "a.b,c;d:e!f?g'h\"i(j)k[l]m{n}o<p>q|r\\s/t@u#v$w%x^y&z*0+1-2=3_4~5`6",
    "@user #hashtag $TICKER 50% off &amp; <b>bold</b>",
    "-_-  :-)  ;P  <3  ¯\\_(ツ)_/¯  (╯°□°)╯︵ ┻━┻",
]

CODE_AND_NUMBERS = [
    "3.14159 1,234,567.89 -40 +7 1e-10 0xDEADBEEF 0b1010 007 1/2 50%",
    "Call +49 30 1234567 or 0800-CALL-NOW before 17:30 on 2024-02-29.",
    "ssh -L 8080:localhost:80 mail.to+tag@example.co.uk "
    "https://example.org/a.html?x=1&y=%20#z",
    "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; } /* dot product */",
    "def f(x): return {k: v**2 for k, v in x.items() if v is not None}",
    "SELECT name, COUNT(*) FROM people WHERE age >= 18 GROUP BY name;",
    "{\"id\": 7, \"text\": \"a \\\"quoted\\\" value\", \"ok\": true}",
    "C:\\Users\\guest\\My Files\\report_final_v2 (1).docx",
    "ATGCGTACGTTAGCCTAGGATCCGATCGATTTAGC",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism",
]

SPECIAL_TOKENS = [
    "[CLS] inside [SEP] a text [MASK] here [PAD] and [UNK]",
    "word[MASK]joined and [mask] [Mask] [ MASK ] [MASK",
    "[SEP]",
    "[UNK][unused0] ##ing ## #",
]

BLANK = [
    " ",
    "\t",
    "\r\n\t \n",
    "\u00a0\u2003\u3000",
    "\u200b",
    "\ufeff",
    "\u0301",
]

CONTROL_AND_FORMAT = [
    "tab\there and\nnew\nlines\r\nand  two   spaces ",
    " leading and trailing ",
    "zero\u200bwidth\u200bspace and\u200c non-joiner \u200djoiner",
    "soft\u00adhyphen in hyphen\u00adation",
    "\ufeffbyte order mark at the start and \ufeff inside",
    "next\u0085line and vertical\u000btab and form\u000cfeed",
    "line\u2028separator and paragraph\u2029separator",
    "bell\u0007 escape\u001b[31m delete\u007f and \u0001\u0002\u001f\u0080\u009f",
    "right\u202eto\u202cleft \u2066isolate\u2069 \u200emark\u200f",
    "no\u00a0break\u202fspace\u2007figure\u2009thin\u3000wide"
    "\u205fmath\u1680ogham"
    "",
    "word\u2060joiner\u2061 \u180emongolian\u180e \u061c \u070f \u06dd",
    "replacement \ufffd character in\ufffdside",
    "private \ue000\uf8ff use \U000f0000\U0010fffd in\ue123side",
    "unassigned \u0378 \u05ff in\u0378side \u2fe0 \U0003fffd",
    "noncharacters \ufdd0 \ufffe \uffff \U0001ffff",
    "variation\ufe0f selectors\ufe0e a\U000e0100b",
    "interlinear \ufff9anchor\ufffaseparator\ufffb object\ufffc",
]

MARKS = [
    "e\u0301 a\u0308\u0323 a\u0323\u0308 o\u031b\u0323\u0302 q\u0307\u0323",
    "z\u0351\u036b\u0343\u036a\u0302\u036b\u033d a\u0334\u0335\u0336\u0488 "
    "l\u0337\u0338go",
    "\u0344\u0340\u0341\u0343 alone \u0300\u0301\u0302",
    "enclosing a\u20dd b\u20de 1\u20e3 spacing \u0903\u0bbe\u0b57",
    "newer marks x\u1ac1 x\u1df6 x\u0898 x\u08d3 x\u0c3c \U00011a98 x\U0001e08f "
    "x\U0001e4ec",
    "Zalgo: H\u0335\u031b\u0352\u0301\u0350e\u0334\u0322\u033c\u0301\u0344 "
    "c\u0338\u0328\u0353\u0304o\u0336\u031f\u030d"
    "m\u0337\u0329\u0308\u0301e\u0335\u031d\u0306s"
    "",
]

ASTRAL_CJK = [
    "\U00020000\U0002a6d6 \U0002a700\U0002b734 x\U0002a700y",
    "\U0002b740\U0002b81d \U0002b820 x\U0002b820y \U0002b91fz",
    "x\U0002b920y \U0002ceaf\U0002ceb0 \U0002f800x\U0002fa1d \U00030000x",
    "\u3400\u4dbf\u4dc0 \u9fff \uf900x\ufaff \u3007 \u3005 \u31f0 \u2e80",
]

LONG_WORDS = [
    "a" * 99,
    "b" * 100,
    "c" * 101,
    "short " + "d" * 100 + " and " + "e" * 101 + " end",
    "\u00e9" * 100,
    "\u00e9" * 101,
    "\u304b\u3099" * 50,
    "\uac01" * 33 + " " + "\uac01" * 34,
    "\U0001f600" * 100 + " x",
    "un" + "happi" * 19 + "ness",
    "0123456789" * 40,
    "!" * 300,
]

TEXTS = [
    *EVERYDAY,
    *PARAGRAPHS,
    *LIMIT,
    *SCRIPTS,
    *SYMBOLS,
    *CODE_AND_NUMBERS,
    *SPECIAL_TOKENS,
    *BLANK,
    *CONTROL_AND_FORMAT,
    *MARKS,
    *ASTRAL_CJK,
    *LONG_WORDS,
]
