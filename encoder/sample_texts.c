/* Written for this purpose; the order counts: see sample_texts.h. */
#include "sample_texts.h"

/* clang-format off */
const char *const kenc_sample_texts[] = {
    "yes",
    "tide",
    "museum opening hours",
    "How do I descale a kettle without buying anything special?",
    "The café in Besançon serves crème brûlée, smørrebrød and jalapeño soup from 7:30.",
    "図書館は何時に閉まりますか。 Библиотека открыта до шести. Πού είναι ο σταθμός;",
    "hi all, my laptop wont wake up after i close the lid, fan spins but screen stays "
    "black... tryed the power buton for 30 sec, nothing. any ideas?\? thx",
    "WARNING: DO NOT OPEN THE COVER WHILE THE BLADE IS TURNING. DISCONNECT POWER "
    "FIRST.",
    "for (i = 0; i < n; i++) { total += price[i] * (1.0 + rate); } /* rounding: none "
    "*/",
    "A wire of 2.5 mm² carries at most 24 A; at 230 V that is P = U·I ≈ 5.5 kW (±3 %).",
    "What are the early signs of an underactive thyroid, and which blood test does a "
    "family doctor usually order first when somebody complains of tiredness, dry skin "
    "and slow weight gain?",
    "The council voted on Tuesday to close the old swing bridge for eighteen months, "
    "after engineers found cracks in two of its bearings. Ferries will carry "
    "pedestrians and cyclists free of charge, while lorries must take the longer road "
    "through the northern tunnel.",
    "Packing list (weekend, 2 people): tent; 2 sleeping bags; stove + gas; 4 l water; "
    "matches; first-aid kit; map [1:25,000]; rope, 10 m; torch -- and spare batteries!",
    "This folding desk lamp has a weighted walnut base, a brushed aluminium arm with "
    "three joints, and a warm light that dims in ten steps. A sensor lowers the "
    "brightness when the room is dark. It remembers the last setting, draws less than "
    "six watts and comes with a braided cable of two metres. The shade turns through "
    "300 degrees, so it also lights a wall for reading in bed. Bulb replaceable "
    "without tools; five years of guarantee.",
    "Can I change the delivery address after I have ordered? Yes, as long as the "
    "parcel has not left our warehouse. Open your order, choose \"Change address\" "
    "and confirm with the code that we send by message. If the button is grey, the "
    "parcel is already on its way; in that case you can ask the carrier to hold it at "
    "a pick-up point near you. Orders with several parcels are changed one by one. We "
    "cannot send an order to another country once it is paid, because taxes differ; "
    "please cancel it and order again.",
    "Background: Older adults often sleep poorly after a stay in hospital, and "
    "sedatives raise the risk of falls. We asked whether a short daily walk in the "
    "morning light improves sleep without drugs. Methods: In a randomised trial at "
    "six rehabilitation clinics, 412 patients aged 70 to 88 either walked outdoors "
    "for twenty minutes before ten o'clock or received the usual care. Sleep was "
    "recorded with wrist sensors for four weeks; the main outcome was the mean time "
    "awake after falling asleep. Results: Patients who walked lay awake for 47 "
    "minutes a night, compared with 66 minutes under usual care (difference 19 "
    "minutes, 95 % confidence interval 12 to 26, p < 0.001). They asked for sedatives "
    "half as often, and there was no difference in the number of falls. The effect "
    "was larger in those who started with the poorest sleep, and it had mostly "
    "vanished three months after the programme ended. Conclusion: Morning walks "
    "outdoors are a cheap and safe way to improve sleep after illness, but the habit "
    "needs support at home if the benefit is to last.",
    "?",
    "no",
    "42",
    "OK",
    "entropy",
    "lighthouse",
    "Zürich",
    "3.14159",
    "unbelievably",
    "1969-07-20",
    "table tennis",
    "right angle",
    "404 not found",
    "How tall is a giraffe?",
    "Why do onions make people cry when they are cut?",
    "Can an adult beginner still become good at chess within two years?",
    "Is it worth learning two programming languages at the same time?",
    "How can I stop comparing my life with that of my friends?",
    "Which planet has the shortest day in the solar system?",
    "What was the first animal to travel into orbit around the Earth?",
    "In which city would you find the oldest underground railway?",
    "Who wrote the play in which a forest seems to walk towards a castle?",
    "What metal is liquid at room temperature?",
    "Which river flows through ten countries before it reaches the Black Sea?",
    "What is the capital of the country with the most volcanoes?",
    "Does drinking coffee late in the day always disturb sleep?",
    "Should I buy a used electric car with 80,000 km on the clock?",
    "How long does it take for a broken collarbone to heal?",
    "What causes kidney stones, and can lemon juice prevent them?",
    "Is asthma inherited?",
    "Which splint or surgery helps against carpal tunnel syndrome?",
    "Who is at risk of developing glaucoma?",
    "Can ibuprofen and paracetamol be taken together?",
    "How do you remove candle wax from a wool carpet?",
    "How to sharpen a kitchen knife on a wet stone, step by step",
    "Change the oil of a lawn mower in fifteen minutes",
    "What does it mean if a job offer says \"subject to references\"?",
    "Why is my sourdough bread so dense?",
    "How do I undo the last commit but keep my changes?",
    "What is the difference between a virus and a bacterium?",
    "Would a feather and a hammer fall equally fast on the Moon?",
    "Are there any good reasons to keep a landline telephone?",
    "How do introverts make friends in a new town?",
    "If you could speak any dead language, which one would you choose, and why?",
    "Can you explain inflation to a ten-year-old?",
    "What happens to unsold bread at the end of the day?",
    "A man is slicing a ripe tomato with a small knife.",
    "Somebody is cutting up a vegetable in the kitchen.",
    "Two dogs are racing each other along a wet beach.",
    "The children are not playing in the garden.",
    "A woman in a red coat is waiting for the last tram.",
    "Nobody noticed that the clock had stopped.",
    "The cat did not chase the mouse; the mouse chased the cat.",
    "Water boils at a lower temperature on top of a mountain.",
    "Vitamin D supplements do not reduce the risk of fractures in healthy adults.",
    "Smoking during pregnancy lowers the average weight of the newborn.",
    "Loss of this gene makes yeast cells sensitive to heat shock.",
    "how blowing cool gas through a porous cone lowers its skin temperature at mach 6",
    "small bumps on a swept wing and the onset of turbulence, seen in wind-tunnel "
    "tests",
    "Storm leaves thousands without power along the western coast",
    "Central bank holds its rate steady and hints at a cut in spring",
    "Underdogs win the cup on penalties after a goalless final",
    "Minister resigns over missing flood funds",
    "Scientists find a blind fish that senses light with its skin",
    "The Winter Orchard: A Novel in Four Seasons",
    "Chapter 7. On the Care and Feeding of Bees",
    "An Introduction to Linear Algebra for Engineers, 3rd edition",
    "Lentil soup with smoked paprika and lemon (serves 4)",
    "stainless steel water bottle, 750 ml, leakproof, dishwasher safe, matt green",
    "Men's waterproof hiking boots, size 44, wide fit",
    "SIZE CHART AND RETURNS POLICY: PLEASE READ BEFORE ORDERING",
    "I AM NOT SHOUTING, MY CAPS LOCK KEY IS STUCK",
    "lol that made my day, so true!!!",
    "does anyone no if the bus 14 still goes threw the old town?\?",
    "ok so i finaly beat the last boss, only took me 6 weeks haha",
    "pls help: printer says \"offline\" but its on and conected",
    "imho the book is waaay better then the film",
    "def mean(xs): return sum(xs) / len(xs) if xs else 0.0",
    "SELECT name, COUNT(*) FROM visits WHERE year >= 2020 GROUP BY name ORDER BY 2 "
    "DESC;",
    "Segmentation fault (core dumped): address 0x7ffe3a10 not mapped",
    "TypeError: cannot read property 'length' of undefined at line 218",
    "grep -rn \"TODO\" src | sort | uniq -c | head -n 20",
    "https://www.example.org/archive/2023/11/page-2.html?lang=en&sort=date#top",
    "user.name+tag@mail.example.net, ftp://files.example.com/pub/data_v2.tar.gz",
    "C:\\Data\\Reports\\2021\\summary (final) v3.docx",
    "x = (-b ± √(b² − 4ac)) / 2a",
    "E = mc²; F = ma; PV = nRT; a² + b² = c²",
    "2 H₂ + O₂ → 2 H₂O, ΔH = −572 kJ",
    "12 + 7 = 19; 144 / 12 = 12; 2^10 = 1024; 5! = 120",
    "Tue, 29 Feb 2028, 23:59:59 (UTC+02:00)",
    "$1,299.00 (was $1,549.50, save 16%) + £4.99 p&p",
    "Height 5'11\", weight 172 lb, pulse 58 bpm, BP 118/76 mmHg",
    "48°51'24\"N 2°21'07\"E, elevation 35 m",
    "Call extension 0117 or leave a message after the tone.",
    "(a) none; (b) one; (c) more than one -- tick [x] where applicable...",
    "\"Who's there?\" -- \"Only me,\" said the wind; \"only me.\"",
    "***** !!! ~~~ === <<< # @ % & * >>> === ~~~ !!! *****",
    "Well... no -- yes; (maybe?) -- oh, never mind!",
    "red, orange, yellow, green, blue, indigo, violet",
    "Où se trouve la gare la plus proche, s'il vous plaît ?",
    "Der Zug nach Köln fällt heute wegen eines Unwetters aus.",
    "¿Cuánto cuesta un billete de ida y vuelta para mañana?",
    "Il gatto dorme sul davanzale e nessuno osa svegliarlo.",
    "Não há nada melhor do que pão quente ao pequeno-almoço.",
    "De fiets staat nog altijd tegen dezelfde oude boom.",
    "Jag förstår inte varför snön aldrig vill smälta i år.",
    "Wczoraj późnym wieczorem ktoś zgubił żółtą parasolkę w łódce.",
    "Příliš krátké léto; děti už zase běží do školy.",
    "Yağmur dinince çocuklar dışarı çıkıp oynamaya başladı.",
    "Hôm nay trời nóng quá, chúng tôi đi uống nước mía.",
    "Сегодня хорошая погода, и мы идём гулять в парк.",
    "天气很好,我们去公园散步吧。",
    "مرحبا بكم في مدينتنا القديمة",
    "ice-cream, mother-in-law, state-of-the-art, re-elected, 24-hour, twenty-one",
    "pneumonoultramicroscopic and antidisestablishmentarian are rarely needed words",
    "I have two offers: a small firm that lets me work from home, and a large one "
    "that pays a third more but is an hour away by train. Which would you take, and "
    "why?",
    "My landlord wants to keep the whole deposit because of a few nail holes in the "
    "wall. Is that allowed, and what should I write to him before I go to a lawyer?",
    "Which nineteenth-century engineer, the son of a French refugee, designed the "
    "first tunnel ever built beneath a navigable river, and in which year did it open "
    "to people on foot?",
    "In a standard deck of playing cards, how many of the kings are drawn with a "
    "moustache, and which one of them is seen from the side?",
    "The name of which musical instrument, once common in Italian churches, comes "
    "from two words that mean \"soft\" and \"strong\" when they are put together?",
    "How does a lack of iron show itself in teenagers, how is it confirmed in the "
    "laboratory, and which foods help the body to take up more iron from a vegetarian "
    "diet?",
    "Is a high resting heart rate dangerous in somebody who is otherwise healthy, "
    "does not smoke, and runs three times a week, or is it simply a matter of the "
    "inherited build of the heart?",
    "My daughter (3 y, 14 kg) has had a temperature of 38.9 since last night and a "
    "rash on her belly that fades when I press a glass on it. When do we have to see "
    "a doctor?",
    "To get a melody out of your head, hum it slowly to the very end, chew something, "
    "or read a hard page aloud; trying not to think of it makes matters worse.",
    "To replace the washer of a dripping tap, close the valve under the sink, unscrew "
    "the handle, lift out the cartridge with pliers, fit a new ring of the same width "
    "and tighten everything by hand before you open the water again.",
    "First whisk the egg yolks with the sugar until they are pale. Then fold in the "
    "warm milk, a spoonful at a time, and stir over a low flame until the cream coats "
    "the back of a spoon.",
    "Shares of the shipping group fell by nine per cent on Monday after it warned "
    "that weak demand and blocked canals would halve its profit for the second half "
    "of the year.",
    "Police in the lakeside town are looking for the owner of a suitcase filled with "
    "antique clocks, which a cleaner discovered on the night train and handed in at "
    "the counter.",
    "Heavy rain is expected from Thursday afternoon, with 60 to 90 millimetres in the "
    "hills and gusts of up to 85 km/h on exposed ridges; walkers should stay away "
    "from narrow gorges.",
    "After a recount that took nine days, the incumbent mayor won by only 31 votes "
    "out of more than 48,000. Her rival said that he would accept the result but ask "
    "for new machines.",
    "The striker, who had missed most of the season with a torn hamstring, came on in "
    "the 71st minute and scored twice with his left foot to keep the club in the "
    "first division.",
    "Researchers who tagged 2,300 young eels report that fewer than one in fifty "
    "reached the sea, and blame the turbines of small power stations along the lower "
    "part of the river.",
    "Noise-cancelling headphones with 38 hours of playback, soft ear pads that can be "
    "washed, and a folding hinge made of steel. Charges fully in 90 minutes over "
    "USB-C. Colour: sand.",
    "Rain jacket for children, ages 6-7, with taped seams, a detachable hood and "
    "reflecting stripes on both sleeves. Machine wash at 30 °C, do not tumble dry, do "
    "not iron.",
    "Cordless drill, 18 V, two gears (0-450 and 0-1,650 rpm), maximum torque 55 Nm, "
    "keyless chuck 1.5-13 mm; delivered in a case with two batteries of 2.0 Ah, "
    "charger and 12 bits.",
    "Our darkest roast: beans from two small farms at 1,700 metres, washed, dried in "
    "the sun and roasted slowly in the drum. Notes of cocoa, dried fig and cedar. "
    "Whole beans, 250 g.",
    "How do I reset my password? Click on \"Forgotten?\" under the login form and "
    "enter the address with which you signed up. The link in our message is valid for "
    "thirty minutes.",
    "Do you ship to islands? Yes, but it takes three to five working days more, and "
    "for parcels over 20 kg the carrier charges a supplement that you see before you "
    "pay.",
    "What happens to my data if I close the account? We delete your messages and "
    "pictures within 30 days; invoices must be kept for ten years, as tax law "
    "requires.",
    "anyone else having trouble with the new update?\? since yesterday evry time i "
    "open the settings it just crashes, already reinstaled twice and cleared the "
    "cache. its so anoying",
    "long time lurker first post here. so my tomatos have brown spots on the bottem, "
    "leafs look fine tho. is it to much water or not enough calcium?\? its my first "
    "year growing, be nice :)",
    "update: solved!! it was the cable all along, not the driver. swapped it with a "
    "older one and now it works great, sorry for waisting everyones time and thx for "
    "the help guys",
    "tbh i dont get why ppl pay 200 bucks for a keyboard, mine was like 15 and still "
    "going strong after 6 yrs, even survived a full cup of tea lmao",
    "You need to quote the variable, otherwise the shell splits it at every blank: "
    "use rm -- \"$file\" instead of rm $file, and test the loop with echo before you "
    "run it.",
    "if (!node || node->key == key) {\n    return node;\n}\nreturn find(key < "
    "node->key ? node->left : node->right, key);",
    "#!/bin/sh\nset -eu\nfor f in *.png; do\n    convert \"$f\" -resize 50% "
    "\"small-$f\"\ndone\necho \"done: $(ls small-* | wc -l) files\"",
    "{\"id\": 1047, \"title\": \"Blue vase\", \"tags\": [\"glass\", \"1930s\"], "
    "\"price\": 85.5, \"sold\": false, \"size\": {\"h\": 31, \"w\": 12}, \"notes\": "
    "null}",
    "fn largest(values: &[i64]) -> Option<i64> {\n    let mut best = "
    "*values.first()?;\n    for &v in values { if v > best { best = v; } }\n    "
    "Some(best)\n}",
    "2024-05-17T08:14:03.512Z ERROR [worker-3] connection to 192.0.2.17:5432 timed "
    "out after 30000 ms (attempt 4 of 5); will retry in 16 s",
    "<ul class=\"menu\"><li><a href=\"/home\">Home</a></li><li><a "
    "href=\"/about\">About us</a></li></ul> <!-- the footer follows -->",
    "id,date,station,temp_c,rain_mm\n1,2022-01-03,North,-4.5,0.0\n"
    "2,2022-01-03,South,1.2,3.4\n3,2022-01-04,North,-6.1,0.2\n"
    "4,2022-01-04,South,0.0,11.8",
    "Mon 9-17, Tue 9-17, Wed closed, Thu 9-20, Fri 9-17, Sat 10-14, Sun closed; "
    "public holidays: see notice at the door. Tickets: 8.50 / 6.00 / free under 12.",
    "1. Unpack all parts. 2. Sort the screws: A (M4 x 12), B (M6 x 40), C (M8 x 60). "
    "3. Join sides 1 and 2 with four B. 4. Do not tighten yet! 5. Slide in the "
    "shelves. 6. Tighten.",
    "If a train leaves at 08:40 and covers 312 km at an average of 96 km/h, with a "
    "stop of 15 minutes on the way, it arrives at 12:10; a second one, at 120 km/h, "
    "needs 2 h 36 min.",
    "Let f be continuous on [a, b] and differentiable on (a, b). If f(a) = f(b), then "
    "there is a point c in (a, b) with f'(c) = 0; the chord and the tangent are both "
    "horizontal.",
    "Mix 0.5 mol/L NaOH with phenolphthalein (2 drops), titrate with 0.1 M HCl to the "
    "end point, and note the volume to ±0.05 mL; repeat until three readings agree "
    "within 0.1 mL.",
    "Dear neighbours, the water will be turned off on 12 March between 8 a.m. and "
    "noon while the plumber replaces the main valve. Please fill a bucket or two in "
    "good time. Thank you!",
    "\"I never said that she stole the money,\" he repeated, and each time he leaned "
    "on another word, so that the judge had to ask which of the seven sentences he "
    "meant.",
    "Courage, said the old teacher, is not a loud thing; most days it is only the "
    "decision to get up once more, wash the cup, and open the door to whoever is "
    "knocking.",
    "There was no moon. The harbour lay as still as a sheet of slate, and from "
    "somewhere beyond the breakwater came the slow, uneven knocking of an oar against "
    "wood.",
    "The tenant shall not assign, sublet or otherwise part with possession of the "
    "premises, in whole or in part, without the prior written consent of the "
    "landlord, which shall not be unreasonably withheld or delayed.",
    "Subject to clause 4.2(b), neither party is liable for a delay caused by events "
    "beyond its control, provided that it gives notice within five (5) working days "
    "and resumes performance as soon as practicable.",
    "A review of nineteen cohort studies found no link between moderate egg "
    "consumption and coronary disease, although people with diabetes had a slightly "
    "raised risk in four of them.",
    "Mice that lack the receptor in microglia clear amyloid deposits more slowly, and "
    "show worse spatial memory at twelve months of age than their littermates of the "
    "same sex.",
    "What similarity rules must a wind-tunnel model obey if one wants to study the "
    "flutter of a heated wing, when stiffness, mass and the flow of heat all have to "
    "be scaled together?",
    "An approximate solution is given for the flow of a viscous gas behind a strong "
    "shock wave near the stagnation point of a slender body with a slightly rounded "
    "nose.",
    "A queue is a list in which the first element that went in is the first one to "
    "come out; a stack is the opposite, and a deque lets you add and remove at both "
    "ends.",
    "Compared with last year, revenue rose 12.4 % to 3.87 million, gross margin "
    "slipped from 41.0 % to 39.6 %, and net debt fell by 0.6 million; the board "
    "proposes a dividend of 0.22.",
    "The museum keeps a bronze mirror from the third century, a set of ivory "
    "chessmen, two globes, and the diary of a ship's cook who crossed the Pacific "
    "four times without once learning to swim.",
    "Je cherche un appartement de deux pièces avec balcon, si possible près du "
    "tramway et pas trop cher ; j'ai un chat très calme et un piano que je ne joue "
    "jamais après huit heures.",
    "Wer im Herbst Äpfel lagern möchte, sollte nur unbeschädigte Früchte nehmen, sie "
    "nicht übereinander stapeln und den Keller regelmäßig lüften, damit nichts "
    "schimmelt.",
    "La biblioteca permanecerá cerrada durante agosto por obras en la cubierta; los "
    "préstamos se prorrogan automáticamente hasta el quince de septiembre, sin ningún "
    "recargo para los socios.",
    "We report measurements of the thermal conductivity of thin diamond films between "
    "20 and 400 kelvin. The films, 0.8 to 12 micrometres thick, were grown from a "
    "methane plasma on silicon and then freed from it by etching. Heat was supplied "
    "by a pulsed laser, and the change of reflectivity of a gold layer served as "
    "thermometer. Below 100 K the conductivity depends strongly on thickness, as "
    "expected if phonons are scattered mainly at the boundaries of grains; above 250 "
    "K the difference between films vanishes within the uncertainty of 6 %. A model "
    "with two scattering rates and no free parameters reproduces the curves, except "
    "for the thinnest film, where disorder near the substrate has to be added. The "
    "results suggest that films of only 5 micrometres are sufficient to spread the "
    "heat of small electronic devices, and that cleaner growth would bring little "
    "further gain.",
    "Neutrino detectors in deep water must know the position of their sensors to a "
    "few centimetres, although currents bend the lines on which these hang. We "
    "describe an acoustic system of forty emitters on the sea bed and two hundred "
    "receivers. Signals of 30 kHz are correlated with stored templates, the speed of "
    "sound is taken from probes at four depths, and the shape of each line is fitted "
    "every ten minutes. In two years of operation the median error was 4.1 cm, three "
    "times better than the optical resolution of the detector demands. Outages were "
    "caused by storms, by one flooded connector, and on eleven occasions by curious "
    "whales, whose clicks fall into the same band. The same network records the "
    "sounds of ships, and we make these recordings available to biologists after a "
    "delay of one year.",
    "Objective: To determine whether a single dose of an oral steroid shortens the "
    "duration of a sore throat in adults who are not given antibiotics. Design: "
    "double-blind, placebo-controlled trial. Setting: 42 general practices. "
    "Participants: 576 adults with acute pain on swallowing. Intervention: one tablet "
    "of 10 mg or placebo. Main outcome: complete relief after 24 and 48 hours. "
    "Findings: At 24 hours relief was complete in 22.6 % of the treated group and "
    "17.7 % of the control group (relative risk 1.28, 0.92 to 1.78); at 48 hours in "
    "35.4 % against 27.1 % (1.31, 1.02 to 1.68). There were no serious adverse "
    "events. Interpretation: The drug offers no benefit on the first day and a modest "
    "one on the second.",
    "Resistance to common antibiotics among bacteria of the urinary tract has grown "
    "in most countries, yet data from rural areas are scarce. Between 2015 and 2019 "
    "we cultured 6,214 samples from nine district hospitals and tested each isolate "
    "against fourteen substances. Escherichia coli made up 68 % of isolates. "
    "Resistance to trimethoprim rose from 31 to 39 % and to ciprofloxacin from 12 to "
    "21 %, whereas fosfomycin and nitrofurantoin remained active in more than 95 %. "
    "Earlier treatment within six months was the strongest predictor of resistance "
    "(odds ratio 3.4), followed by age and by a catheter. Local guidelines should "
    "therefore prefer the two older drugs, and samples should be cultured before a "
    "second course of any of them is prescribed.",
    "Many flowers close at night, but how they sense the time is poorly understood. "
    "We show that in a common meadow herb the movement of the petals is driven by "
    "growth of two cell layers at unequal rates, and that a protein of the circadian "
    "clock binds to the promoter of an expansin gene in the inner layer alone. "
    "Mutants without the protein keep their flowers open for three days and receive "
    "more visits from moths, yet set 40 % fewer seeds, because rain washes out the "
    "pollen. When the gene was expressed under a promoter that responds to cold, "
    "flowers closed in the refrigerator at noon. Closing is thus a trade between "
    "pollinators and weather, and the clock settles it.",
    "Sea urchins regrow lost spines within weeks. Using single-cell sequencing of "
    "38,000 cells from regenerating and intact tissue we identify eleven cell types, "
    "among them a rare population that expresses markers of both muscle and skeleton. "
    "Lineage tracing with a photoconvertible dye shows that these cells migrate to "
    "the wound within twelve hours, divide twice, and lay down calcite along a "
    "template of collagen. Blocking one signalling pathway (Wnt) stops division but "
    "not migration; blocking another (FGF) does the reverse. Spines that grew back "
    "under the first inhibitor were short but of normal shape, whereas under the "
    "second none appeared. Our data do not support the older view that regeneration "
    "recapitulates larval development.",
    "Sorting large files on machines with several disks is limited by the slowest "
    "device. This paper presents a merge sort that decides at run time which runs to "
    "read ahead, based on the smallest key of every block, and that writes its output "
    "in stripes whose width follows the measured bandwidth. It needs no tuning and 24 "
    "bytes of memory for each block. In experiments with 1 TB of records of 100 bytes "
    "on eight disks, two of which were slow, it took 31 minutes, against 47 for the "
    "best fixed layout; on equal disks both are within 2 %. We prove that the number "
    "of block transfers is at most (1 + 1/k) times the optimum, where k is the number "
    "of buffers, and discuss how the method extends to solid-state drives.",
    "Neural networks that translate sentences into vectors are usually compared on "
    "pairs written by annotators. We ask how well such scores predict the usefulness "
    "of a search engine in daily work. Twelve encoders of different sizes were put "
    "behind the same interface and used by 140 employees for three months; every "
    "query, click and complaint was recorded. The rank correlation with published "
    "scores was only 0.41. Length of passages, rare words and spelling mistakes "
    "explained most of the gap: models with a vocabulary of subwords trained on "
    "informal text were preferred although their scores were lower. A simple test, in "
    "which every tenth word of a query is misspelt, ranked the encoders nearly as the "
    "users did (0.83). We release this test, but not the data, as the queries are "
    "confidential.",
    "Does a higher minimum wage lead shops to replace cashiers by machines? We link "
    "the payroll of 2,900 supermarkets to the dates at which self-service tills were "
    "delivered, and compare neighbouring districts on both sides of a border between "
    "wage zones. A rise of ten per cent increased the likelihood of a delivery in the "
    "following two years by 3.2 percentage points (standard error 1.1), but the hours "
    "worked did not fall: staff moved to the preparation of online orders. Turnover "
    "of employees dropped by an eighth. Estimates that ignore delivery dates would "
    "have missed the effect altogether, since most tills arrived long before the law "
    "came into force and soon after it was announced to the press.",
    "This article reconsiders the grain riots of the late eighteenth century in the "
    "light of toll books from four river ports. Historians have seen the riots as a "
    "reaction to bad harvests, or as a defence of customary prices. The toll books "
    "show that, in the worst years, barges loaded with wheat passed downstream in "
    "unusual numbers while bread in the towns along the banks was dear. Crowds "
    "stopped the barges, weighed the grain, sold it at what they called a fair price "
    "and in several cases handed the money to the skipper. What they resisted was not "
    "scarcity as such but the sight of plenty that went elsewhere, and with it the "
    "claim that a market has no neighbours.",
    "Letters that the widow of a printer wrote to her suppliers between 1611 and 1634 "
    "allow us to follow the trade in paper across three frontiers. She bought in "
    "advance, demanded discounts for damp reams, and insured each cart with a "
    "different partner. During the war she paid two armies for safe conduct, kept her "
    "accounts in a currency which neither of them could debase, and died the richest "
    "citizen of her street. The letters, found in the binding of a hymn book, correct "
    "the notion that small workshops lived from one order to the next: credit, and "
    "the patience of creditors, could carry a careful house through two decades of "
    "disorder, if only somebody wrote everything down.",
    "Lakes on high plateaus respond quickly to changes of climate. From a sediment "
    "core of 14.6 m we reconstruct the level of one such lake during the past 9,000 "
    "years, using the oxygen isotopes of snail shells, the size of sand grains and "
    "the pollen of twenty-two plants. The lake was highest between 8.2 and 6.5 "
    "thousand years ago, fell by some 18 m within three centuries, and has oscillated "
    "since with a period of about 200 years. The fall coincides with the abandonment "
    "of villages on the southern shore. We see no sign of the cold event known from "
    "ice cores, presumably because summer rain, rather than temperature, governs the "
    "balance of the lake at this altitude and latitude.",
    "Question: Our flat roof was sealed eleven years ago and now there is a damp "
    "patch, roughly a metre wide, on the bedroom ceiling, but only after rain from "
    "the west. Two roofers gave us very different advice: one wants to replace the "
    "whole membrane, the other would only renew the flashing at the chimney and "
    "charge a tenth of the price. Is there any way to find out for ourselves where "
    "the water gets in before we decide?",
    "ok this is gonna be long, sorry. i moved in with 2 roomates in september and at "
    "first evrything was fine, but now one of them never does the dishes and the "
    "other one eats my food even tho i put my name on it!! i tried talking to them, i "
    "made a plan for the fridge, i even bought them pizza... nothing changes. last "
    "nite i came home at 11 and there were 6 strangers in the livingroom playing "
    "drums. i have an exam on monday. should i move out or am i overeacting?\? pls be "
    "honest",
    "Pancreatitis is an inflammation of the pancreas, which lies deep in the belly "
    "and produces digestive enzymes and insulin. It may be acute, beginning suddenly "
    "and lasting for days, or chronic, when the organ is damaged over years. "
    "Gallstones and heavy drinking are the most frequent causes; others are certain "
    "medicines, high levels of fat in the blood, injury and inherited conditions. "
    "Typical symptoms are pain in the upper abdomen that spreads to the back, nausea, "
    "fever and a fast pulse. Treatment in hospital consists of fluids, pain relief "
    "and rest of the bowel; infected tissue sometimes has to be removed.",
    "How is vertigo diagnosed? The doctor asks how long the attacks last, what brings "
    "them on, and whether hearing has changed. By moving the head quickly to one side "
    "while watching the eyes, she can often tell trouble in the inner ear from "
    "trouble in the brain. Hearing tests and a scan are needed only in some cases. "
    "Exercises that shift the tiny crystals in the semicircular canals help most "
    "people with the positional form within a week.",
    "The volcano began to rumble on a Sunday in early May, and by Wednesday ash had "
    "covered the vineyards on its eastern slope. Authorities moved 3,400 people to "
    "schools and sports halls along the coast, and the airport closed both runways. "
    "Geologists at the observatory said that the swelling of the summit, eleven "
    "centimetres in four days, pointed to fresh magma at a depth of about two "
    "kilometres, but that an eruption like that of 1906 was unlikely. Farmers were "
    "allowed to return for two hours each morning to feed their animals.",
    "Ten years after the last steelworks closed, the valley has more jobs than "
    "before, the regional office of statistics reported on Friday. Most are in "
    "logistics, care and a cluster of small firms that recycle batteries. Wages, "
    "however, are a fifth lower than in the days of the furnaces, and every third "
    "worker commutes for more than an hour. \"We have work again,\" said a former "
    "crane driver who now trains apprentices, \"but what we had then was a trade.\"",
    "Thank you for buying this bread maker. Before first use, wash the pan and the "
    "kneading hook in warm water and let the empty machine run on programme 12 (BAKE "
    "ONLY) for ten minutes; a slight smell is normal. Always add liquids first, then "
    "flour, then salt and yeast in separate corners. Never fill in more than 600 g of "
    "flour. Do not open the lid while the bread is rising, and use oven gloves to "
    "remove the pan. Error E:01 means that the machine is too hot: wait until it has "
    "cooled down. Error E:EE means that the sensor is broken: call the service.",
    "Release notes, version 4.2.0. New: dark theme; export to CSV and JSON; search "
    "understands \"quoted phrases\" and -exclusions. Changed: the cache moves to "
    "~/.cache/app (set APP_CACHE to override), and the default time-out is 20 s "
    "instead of 60 s. Fixed: crash when a folder contains more than 65,535 files "
    "(#1882); wrong week numbers in leap years (#1907); flicker on screens with 144 "
    "Hz. Removed: support for 32-bit systems and for the old plug-in interface, "
    "deprecated since 3.6. Known problem: on some laptops the fan stays on after "
    "sleep.",
    "/* Returns the index of key in the sorted array a of n numbers, or -1. */\n"
    "static int binary_search(const int *a, int n, int key)\n{\n    int low = 0;\n    "
    "int high = n - 1;\n    while (low <= high) {\n        int mid = low + (high - "
    "low) / 2;\n        if (a[mid] == key) {\n            return mid;\n        "
    "}\n        if (a[mid] < key) {\n            low = mid + 1;\n        } else "
    "{\n            high = mid - 1;\n        }\n    }\n    return -1;\n}",
    "import csv\nfrom collections import Counter\n\ndef top_words(path, n=10, "
    "min_len=4):\n    \"\"\"The n most frequent words of column 'text', longest first "
    "among equals.\"\"\"\n    counts = Counter()\n    with open(path, newline=\"\", "
    "encoding=\"utf-8\") as f:\n        for row in csv.DictReader(f):\n            "
    "counts.update(w.lower().strip(\".,;:!?\") for w in row[\"text\"].split() if "
    "len(w) >= min_len)\n    return sorted(counts.items(), key=lambda x: (-x[1], "
    "-len(x[0]), x[0]))[:n]",
    "MINUTES OF THE GENERAL MEETING. PRESENT: 27 MEMBERS AND 4 GUESTS. THE TREASURER "
    "REPORTED A SURPLUS OF 1,240 AND PROPOSED TO REPAIR THE BOATHOUSE BEFORE WINTER; "
    "CARRIED, 22 FOR, 3 AGAINST, 2 ABSTAINED. THE FEE REMAINS AT 65 A YEAR (STUDENTS: "
    "30). IT WAS ASKED WHY THE KEY OF THE SHED HAD BEEN MISSING SINCE JUNE; NOBODY "
    "KNEW. THE NEXT MEETING TAKES PLACE ON THE SECOND TUESDAY OF FEBRUARY AT 19:30 IN "
    "THE USUAL ROOM. THE CHAIR CLOSED AT 21:05 WITH THANKS TO ALL.",
    "My grandmother kept bees behind the railway station for fifty years and claimed "
    "that she could tell the hour of arrival of any train by their hum. Nobody "
    "believed her. Then one hot evening, with all the signals out of order, the "
    "stationmaster came running across the yellow grass, cap in hand, and asked "
    "whether the express was near. She put her ear to the third hive, held up four "
    "fingers, and went on shelling peas. Four minutes later we heard the whistle from "
    "the bridge.",
    "Potato and leek bake. Ingredients: 1.2 kg waxy potatoes, 3 leeks, 2 cloves of "
    "garlic, 300 ml cream, 200 ml milk, 150 g grated hard cheese, nutmeg, salt, "
    "pepper, 20 g butter. Heat the oven to 180 °C (fan 160 °C). Slice the potatoes 3 "
    "mm thin; cut the leeks into rings and soften them in the butter for 8 min. Rub "
    "the dish with garlic, layer everything, pour the seasoned milk and cream over "
    "it, and bake for 55-60 min. Sprinkle with cheese for the last quarter of an "
    "hour. Let it rest before serving. Per portion: 540 kcal, 29 g fat, 17 g protein.",
    "An index speeds up reading at the price of slower writing. Imagine a phone book "
    "without alphabetical order: to find one name you would have to read every page. "
    "A B-tree keeps the keys sorted in pages of a few kilobytes, so that a lookup "
    "among a hundred million rows touches four or five pages. A hash index needs only "
    "one or two but cannot answer questions about ranges. As a rule, index the "
    "columns that appear in conditions and joins, measure, and drop the indexes that "
    "no query uses.",
    "The speed of sound in air at 20 °C is about 343 m/s, in water 1,480 m/s and in "
    "steel close to 5,960 m/s. Thunder that follows lightning after 9 seconds has "
    "therefore travelled 3.1 km. If a source moves towards you at 30 m/s, a tone of "
    "440 Hz is heard at 440 × 343 / (343 − 30) ≈ 482 Hz, and after it has passed at "
    "405 Hz; the ratio, 1.19, is a little more than three semitones.",
    "Hello in a few scripts: Greek καλημέρα, Russian здравствуйте, Ukrainian добрий "
    "день, Hebrew שלום, Arabic السلام عليكم, Hindi नमस्ते, Thai สวัสดี, Korean "
    "안녕하세요, Japanese こんにちは, Chinese 你好, Georgian გამარჯობა, Armenian "
    "բարև; and in Latin letters: Turkish merhaba, Icelandic góðan daginn, Hungarian "
    "jó napot kívánok, Romanian bună ziua, Latvian labdien, Vietnamese xin chào, "
    "Welsh bore da, Swahili habari, Finnish hyvää päivää, Basque egun on, Maltese "
    "bonġu, Croatian dobar dan, Esperanto saluton ĉiuj.",
    "To whom it may concern: on the 3rd of this month I returned a pair of curtains "
    "(order no. 77-20418-B, colour \"moss\", 140 x 245 cm) because one panel was 6 cm "
    "shorter than the other. According to your tracking page the parcel arrived on "
    "the 7th at 10:42. I have since received two reminders to pay, one voucher that I "
    "did not ask for, and no answer at all. Please confirm in writing that the "
    "contract is cancelled, and refund 89.90 plus postage within ten days.",
    "Some philosophers hold that a person is the same as yesterday because the body "
    "continues, others because memories do. Both answers run into trouble. Bodies "
    "exchange nearly all of their matter in the course of years, and memories fade, "
    "blend or turn out to be false. Perhaps the question asks for too much: it may be "
    "enough that each day grows out of the one before, as a river keeps its name "
    "although no drop in it stays, and that we care about tomorrow all the same.",
    "Getting there: take tram 6 to the terminus (23 min), follow the signs to the "
    "mill, cross the footbridge and turn left. The path climbs gently through beech "
    "woods, passes a spring after 1.8 km and reaches the ridge at 742 m; in snow use "
    "the forest road instead. From the tower you see, on clear days, three countries "
    "and the sea. Allow 2½ hours for the round trip, carry water, and keep dogs on a "
    "lead from April to July, when larks nest in the meadows.",
    "Theorem. There are infinitely many primes of the form 4k + 3. Proof. Suppose "
    "that there were only finitely many, say p1, p2, ..., pn, and let N = "
    "4·p1·p2·...·pn − 1. Then N leaves the remainder 3 when it is divided by 4, so "
    "not all of its prime factors can leave the remainder 1. Hence some prime q of "
    "the form 4k + 3 divides N. But q is one of the pi, so it also divides N + 1, and "
    "therefore 1: a contradiction. The same idea fails for 4k + 1. ∎",
};
/* clang-format on */

const size_t kenc_n_sample_texts =
    sizeof(kenc_sample_texts) / sizeof(kenc_sample_texts[0]);
