# A repository's life, on a folder of the person's.
set -e
cd "$1"
export HOME=/tmp
git config --global user.name Ada
git config --global user.email ada@example.org
git init -q repository
cd repository
i=0
while [ $i -lt 200 ]; do echo "$i" >"file-$i"; i=$((i + 1)); done
git add .
git commit -qm first
echo more >>file-1
mkdir deep
mv file-2 deep/
ln -s file-1 link
chmod +x file-3
git add -A
git commit -qm second
git checkout -qb side
git rm -q file-5
git commit -qm third
git checkout -q -
git merge -q side
git gc -q --prune=now
git fsck --strict --no-progress
git worktree add -q ../tree side~1
git clone -q . ../clone
git -C ../clone fsck --no-progress
test -z "$(git status --porcelain)"
git log --oneline | wc -l
