// The emoji of the picker. A short list on purpose: each line is an emoji and the words by which it is found, the first
// of which, up to a comma, are its name.

const LIST = `
👍 thumbs up, yes like agree +1
👎 thumbs down, no dislike disagree -1
❤️ red heart, love
😂 tears of joy, laugh lol funny
🎉 party, celebrate tada congratulations
🙏 folded hands, please thanks pray
👀 eyes, look watching
✅ check mark, done yes
🔥 fire, hot lit
🚀 rocket, ship launch
👏 clapping hands, applause bravo
🙌 raised hands, hooray
😀 grinning, smile happy
😃 big smile, happy
😄 smiling eyes, happy
😁 beaming, grin
😆 laughing, haha
😅 nervous laugh, sweat phew
🤣 rolling on the floor, rofl laugh
🙂 slight smile, fine
🙃 upside down, irony
😉 wink
😊 blush, warm smile
😇 halo, angel innocent
🥰 in love, hearts adore
😍 heart eyes, love
🤩 star eyes, wow excited
😘 kiss
😋 yummy, delicious
😛 tongue, playful
😜 crazy, wink tongue
🤪 zany, silly
🤗 hug
🤭 giggle, oops
🤫 shush, quiet secret
🤔 thinking, hmm consider
🫡 salute, yes sir
🤐 zipped mouth, secret
🤨 raised eyebrow, doubt
😐 neutral, meh
😑 expressionless, blank
😶 speechless, no mouth
😏 smirk
😒 unamused, annoyed
🙄 rolling eyes, whatever
😬 grimace, awkward
😌 relieved, calm
😔 pensive, sad
😴 sleeping, tired zzz
🤒 ill, fever sick
🤧 sneeze, cold
🥵 hot, sweat heat
🥶 freezing, cold
🤯 mind blown, exploding wow
🤠 cowboy
🥳 partying, birthday celebrate
😎 cool, sunglasses
🤓 nerd, geek
🧐 monocle, inspect
😕 confused
😟 worried
🙁 slight frown, sad
😮 open mouth, wow surprised
😯 hushed, surprised
😲 astonished, wow
😳 flushed, embarrassed
🥺 pleading, please puppy
😢 crying, sad tear
😭 sobbing, cry loud
😱 screaming, fear shock
😤 huffing, proud angry
😡 angry, mad red
🤬 swearing, cursing
😈 little devil, evil
💀 skull, dead
💩 poop, pile
🤡 clown
👻 ghost, boo
👽 alien
🤖 robot, bot
😺 smiling cat
🙈 see no evil, monkey
🙉 hear no evil, monkey
🙊 speak no evil, monkey
💯 hundred, perfect score
💥 boom, collision
💫 dizzy, star
💦 splash, sweat drops
💤 zzz, sleep
👋 waving, hello bye
🤚 raised back of hand, stop
✋ raised hand, stop high five
👌 ok hand, perfect
🤌 pinched fingers, italian
✌️ victory, peace
🤞 fingers crossed, luck
🤟 love you gesture
🤘 rock on, horns
🤙 call me, shaka
👈 pointing left
👉 pointing right
👆 pointing up
👇 pointing down
✊ raised fist, solidarity
👊 fist bump, punch
🤝 handshake, deal agree
💪 strong, muscle flex
🫶 heart hands, love
🤷 shrug, whatever dunno
🤦 facepalm
🙋 raising a hand, me question
🙇 bowing, sorry thanks
🧠 brain, smart
🩷 pink heart, love
🧡 orange heart, love
💛 yellow heart, love
💚 green heart, love
💙 blue heart, love
💜 purple heart, love
🖤 black heart, love
🤍 white heart, love
💔 broken heart, sad
💖 sparkling heart, love
🌟 glowing star, great
⭐ star, favourite
✨ sparkles, new magic
⚡ lightning, fast
☀️ sun, sunny
🌈 rainbow, pride
☁️ cloud
🌧️ rain
❄️ snow, cold
🌱 seedling, plant grow
🌹 rose, flower
🌻 sunflower
🍀 clover, luck
🌍 world, earth
🐶 dog
🐱 cat
🦊 fox
🐻 bear
🐼 panda
🦄 unicorn
🐝 bee
🐛 bug, caterpillar
🦀 crab, rust
🐙 octopus
🐢 turtle, slow
🍎 apple
🍕 pizza
🍔 burger
🍟 fries
🍪 cookie
🎂 birthday cake
🍺 beer, cheers
🍻 cheers, beers
🥂 champagne, cheers toast
☕ coffee, tea break
🍿 popcorn, drama
⚽ football, soccer
🏆 trophy, winner
🥇 gold medal, first
🎯 bullseye, target goal
🎵 music, note song
🎸 guitar
🎮 game, play
🎁 present, gift
🎈 balloon
💡 idea, light bulb
📌 pin, important
📎 paperclip, attachment
📅 calendar, date
📈 chart up, growth
📉 chart down, loss
📝 memo, note write
🔒 locked, private
🔑 key
🔔 bell, notify
🔧 wrench, fix tool
🔨 hammer, build
🧪 test tube, experiment
💻 laptop, computer
📱 phone, mobile
💰 money, bag
⏳ hourglass, wait
⏰ alarm clock, time
🚧 construction, work in progress
🚨 siren, alert
🛑 stop sign
⚠️ warning, careful
❓ question mark
❗ exclamation mark, important
➕ plus, add
❌ cross mark, no wrong
✔️ tick, done
🆗 ok
🆕 new
🟢 green circle, go
🟡 yellow circle, wait
🔴 red circle, stop
🏳️‍🌈 rainbow flag, pride
🏁 finish flag, done race
`;

export interface Emoji {
  emoji: string;
  name: string;
  words: string;
}

export const EMOJI: readonly Emoji[] = LIST.trim()
  .split("\n")
  .map((line) => {
    const [emoji = "", ...words] = line.split(" ");
    const text = words.join(" ");
    return { emoji, name: text.split(",", 1)[0] ?? "", words: text.replace(",", "") };
  });

/** The emoji of which every word of `query` begins a word; all of them if it is empty. An emoji finds itself. */
export function findEmoji(query: string): readonly Emoji[] {
  const parts = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (parts.length === 0) return EMOJI;
  return EMOJI.filter(({ emoji, words }) => {
    const all = words.split(" ");
    return parts.every((part) => part === emoji || all.some((word) => word.startsWith(part)));
  });
}
